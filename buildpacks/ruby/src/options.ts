import type { OptionTable } from '../../kit/index.ts';

const works = {
  BUNDLE_GEMFILE: 'honoured',
  BUNDLE_WITHOUT: 'honoured',
  '.ruby-version': 'honoured',
  NOKOGIRI_USE_SYSTEM_LIBRARIES: 'honoured',
  RAILS_ENV: 'honoured',
  RACK_ENV: 'honoured',
  RAILS_GROUPS: 'honoured',
  SECRET_KEY_BASE: 'replaced: never in the droplet, made when the app starts unless it is set there',
};
const ignored = {
  BP_MRI_VERSION: 'write the version into the Gemfile or .ruby-version',
  BP_BUNDLER_VERSION: "Debian's Bundler reads any lock",
  BP_RAILS_ASSETS_EXTRA_SOURCE_PATHS: 'assets are made again when app/, lib/, vendor/ or config/ changed',
  BP_RAILS_ASSETS_EXTRA_DESTINATION_PATHS: 'only public/assets is kept',
  BUNDLER_WITHOUT: 'its name is BUNDLE_WITHOUT',
};
const ON_MRI = 'the app runs on MRI, since its Gemfile does not name the engine jruby';

/** Of Cloud Foundry's, Heroku's and Paketo's buildpacks. */
export const OPTIONS_OF_OTHERS: OptionTable = {
  works,
  ignored: { ...ignored, JRUBY_OPTS: ON_MRI, JAVA_MEM: ON_MRI },
};

/** The same for apps of JRuby. */
export const JRUBY_OPTIONS: OptionTable = {
  works: { ...works, JRUBY_OPTS: 'honoured', JAVA_MEM: 'honoured', JAVA_OPTS: 'honoured' },
  ignored,
};
