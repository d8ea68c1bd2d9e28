/**
 * What the WebAssembly module exports. It owns no memory but what the caller lays out: all
 * functions work on byte addresses of one linear memory, imported.
 * @module
 */
export { expEights, expMany, logMany, tanhMany } from './elementary';
export { addOuter, gradientTile } from './gradient';
export { addProduct, columnMaxima, multiply, packColumns, packRows, rowSquares } from './product';
export { softmaxTile } from './softmax';
