import type { OptionTable } from '../../kit/index.ts';

/** Of Cloud Foundry's, Heroku's and Paketo's buildpacks. */
export const OPTIONS_OF_OTHERS = {
  works: {
    '.bp-config/options.json': 'honoured, but for the keys below',
    PHP_VERSION: 'honoured',
    WEB_SERVER: 'honoured',
    WEBDIR: 'honoured',
    COMPOSER_VENDOR_DIR: 'honoured',
    COMPOSER_INSTALL_OPTIONS: 'honoured',
    COMPOSER_AUTH: 'honoured',
    COMPOSER_GITHUB_OAUTH_TOKEN: 'honoured',
    APP_START_CMD: 'honoured with WEB_SERVER none',
    '.bp-config/php/php.ini': 'replaced: its lines come after those of the buildpack',
    '.bp-config/php/php.ini.d': 'honoured',
    '.bp-config/php/fpm.d': 'honoured',
    '.bp-config/nginx/server-locations.conf': 'honoured',
  },
  ignored: {
    BP_PHP_VERSION: 'require.php of composer.json, or PHP_VERSION in .bp-config/options.json says it',
    BP_PHP_SERVER: 'WEB_SERVER in .bp-config/options.json chooses',
    BP_PHP_WEB_DIR: 'WEBDIR in .bp-config/options.json names it',
    BP_COMPOSER_INSTALL_OPTIONS: 'its name is COMPOSER_INSTALL_OPTIONS',
    BP_COMPOSER_INSTALL_GLOBAL: 'no packages are installed globally',
    COMPOSER_PATH: 'composer.json is at the top',
  },
} as const satisfies OptionTable;
