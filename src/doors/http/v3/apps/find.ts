import { type App, findApp } from '../../../../service/resources/apps.ts';
import { finders } from '../../route/finders.ts';

/** An app for who sees it, who may change it and who may read all of it. */
export const {
  visible: visibleApp,
  toChange: appToChange,
  toRead: appToRead,
} = finders('App', findApp, ({ space_guid }: App) => space_guid);
