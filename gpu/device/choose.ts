/**
 * Devices by name.
 * @module
 */
import gpuJs from 'gpu.js';
import type { Device } from './device.ts';
import { type GpuBackend, gpuJsDevice } from './gpu-js.ts';
import { referenceDevice } from './reference.ts';

export const DEVICE_NAMES = ['auto', 'webasm', 'cpu', 'reference'] as const;
export type DeviceName = (typeof DEVICE_NAMES)[number];

/** `auto` is webasm where WebAssembly with SIMD runs, cpu elsewhere. */
export function resolveDevice(name: DeviceName): GpuBackend | 'reference' {
  if (name !== 'auto') return name;
  return gpuJs.GPU.isWebAssemblySupported ? 'webasm' : 'cpu';
}

const made = new Map<string, Device>();

/** The device of that name, made once per thread so that its kernels are compiled once. */
export function deviceOf(name: GpuBackend | 'reference'): Device {
  const device = made.get(name) ?? (name === 'reference' ? referenceDevice() : gpuJsDevice(name));
  made.set(name, device);
  return device;
}
