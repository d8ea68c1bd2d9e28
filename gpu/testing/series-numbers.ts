/**
 * Numbers of a stack that are power series: nothing is rounded, on ranks neither.
 * @module
 */
import { tensorOf, toFlat } from '../../reference/numbers/tensor.ts';
import type { DeviceNumbers } from '../stack/numbers.ts';
import { Rounded, roundedOf } from './rational-device.ts';
import type { Roots, Series } from './series.ts';

export const seriesNumbers = <T>(arithmetic: Roots<Series<T>>): DeviceNumbers<Series<T>> => ({
  arithmetic,
  sqrt: arithmetic.sqrt,
  stored: (tensor) => tensorOf(toFlat(tensor), tensor.shape),
  toDevice: (tensor) => roundedOf(arithmetic, toFlat(tensor)),
  fromDevice: (values, shape) => {
    if (!(values instanceof Rounded)) {
      if (values.length === 0) return tensorOf<Series<T>>([], shape);
      throw new TypeError('series expected exact numbers from a device');
    }
    return tensorOf<Series<T>>([...(values.exact as readonly Series<T>[])], shape);
  },
});
