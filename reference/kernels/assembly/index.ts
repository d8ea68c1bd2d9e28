/**
 * What the WebAssembly module exports. It owns no memory but what the caller lays out: all
 * functions work on byte addresses of one linear memory, imported.
 * @module
 */
export { factorials } from './double-double';
export { doubleGradient, doubleSoftmax } from './double-tile';
export { expEights, expMany, logMany, tanhMany } from './elementary';
export { finishOutput, finishSums } from './finish';
export { addOuter, gradientTile } from './gradient';
export { addProduct, columnMaxima, multiply, packColumns, packRows, rowSquares } from './product';
export {
  rowGradients,
  rowKeyTerms,
  rowMagnitudes,
  rowProbabilities,
  rowScoreGradients,
  rowValueTerms,
} from './rows-backward';
export {
  copyRows,
  rowAddSizes,
  rowLargest,
  rowScoreErrors,
  rowScores,
  rowSum,
  rowValues,
  rowWeigh,
  rowWeights,
} from './rows-forward';
export { multiplySlices, slice } from './slices';
export { softmaxTile } from './softmax';
