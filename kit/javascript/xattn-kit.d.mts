/** Types of xattn-kit.mjs. */
export type Dtype = 'f64' | 'f32' | 'f16' | 'bf16';

/** Flat and row-major. */
export interface KitTensor {
  readonly shape: number[];
  readonly data: Float64Array;
}

/** case.json, field by field (spec/case.md), and the inputs by name. */
export interface KitCase {
  readonly id: string;
  readonly dtype: Dtype;
  readonly batch: number;
  readonly heads: number;
  readonly kv_heads: number;
  readonly seq_q: number;
  readonly seq_kv: number;
  readonly head_dim: number;
  readonly head_dim_v: number;
  readonly dim_y?: number;
  readonly scale: number;
  readonly softcap: number;
  readonly causal: 'none' | 'top-left' | 'bottom-right';
  readonly window: [number, number] | null;
  readonly media: 'immediate' | 'previous' | null;
  readonly dropout_rate: number;
  readonly wants: readonly string[];
  readonly partition: { readonly ranks: number; readonly q: number[]; readonly kv: number[] };
  readonly tensors: { readonly q: KitTensor } & Readonly<Record<string, KitTensor | undefined>>;
}

/** Numbers stored in halves. */
export interface Halves {
  readonly dtype: string;
  readonly bits: Uint16Array;
}

export type KitOutput = Float64Array | Float32Array | Halves;
export type KitOutputs = Readonly<Record<string, KitOutput | undefined>>;

export class Unsupported extends Error {}
export function f16(numbers: ArrayLike<number>): Halves;
export function bf16(numbers: ArrayLike<number>): Halves;
export function readSafetensors(path: string): Record<string, KitTensor>;
export function writeSafetensors(
  path: string,
  tensors: Record<string, { shape: readonly number[]; data: KitOutput }>,
): void;
export function broadcastAt(tensor: KitTensor, index: readonly number[]): number;
/** May query i of head h attend to key j, in batch entry b? Every mask together. */
export function visibility(c: KitCase): (b: number, h: number, i: number, j: number) => boolean;
export function outputShape(c: KitCase, name: string): number[] | undefined;
/** Speaks protocol 1 until standard input closes. */
export function serve(
  hello: { name: string; supports: readonly string[]; profile: string | object },
  compute: (c: KitCase) => KitOutputs | Promise<KitOutputs>,
): Promise<void>;
