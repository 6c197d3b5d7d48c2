/** blocks: finds the block at an address, its owner, and lists of blocks. */

export {
  type Block,
  type BlockDetails,
  type BlockInspector,
  type BlockRegion,
  type BlockUser,
  eachBlock,
} from './block-info.js';
export {
  type ContextLabel,
  describeContext,
  describeOwner,
  nameContext,
  readLabel,
} from './block-owner.js';
export { createDiagnose, type Diagnose } from './explain-address.js';
export { createBlockInspector } from './list-blocks.js';
export { inspect, type Place } from './locate.js';
