/** Pushes an image of its own making to the name that it is given; whoever started it may kill it at any moment. */
import { push, smallImage } from '../stores/registry/support.ts';

const [, , target = ''] = process.argv;
await push(smallImage(1_500_000), target);
