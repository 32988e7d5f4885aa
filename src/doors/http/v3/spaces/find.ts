/** The space that a path names. */
import { findSpace, type Space } from '../../../../service/resources/spaces.ts';
import { finders } from '../../route/finders.ts';

/** A space for who sees it and who may change it. */
export const { visible: visibleSpace, toChange: spaceToChange } = finders(
  'Space',
  findSpace,
  ({ guid }: Space) => guid,
);
