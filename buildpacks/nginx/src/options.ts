import type { OptionTable } from '../../kit/index.ts';

/** Of Cloud Foundry's, Heroku's and Paketo's buildpacks. */
export const OPTIONS_OF_OTHERS = {
  works: {
    'buildpack.yml': 'honoured: nginx.version, nginx.plaintext_env_vars',
    NGINX_MODULES: 'honoured',
    'modules/': 'honoured, for {{module}}',
  },
  ignored: {
    BP_NGINX_VERSION: 'nginx: version in buildpack.yml says it',
    BP_WEB_SERVER: 'nginx.conf of the app is used',
    BP_WEB_SERVER_ROOT: 'root of nginx.conf says it',
    BP_WEB_SERVER_ENABLE_PUSH_STATE:
      'try_files in nginx.conf does it; the staticfile buildpack has pushstate',
    BP_WEB_SERVER_FORCE_HTTPS: 'a redirect in nginx.conf does it; the staticfile buildpack has force_https',
  },
} as const satisfies OptionTable;
