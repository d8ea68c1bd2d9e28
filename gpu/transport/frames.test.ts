import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, type Frame, FrameReader, jsonOf, type Limits } from './frames.ts';

const LIMITS: Limits = {
  message: { header: 1000, payload: 1000 },
  at: { header: 100, payload: 0 },
};

const whole = (...args: Parameters<typeof encodeFrame>): Uint8Array =>
  Uint8Array.from(Buffer.concat(encodeFrame(...args)));

/** All frames of bytes that come in pieces. */
function read(bytes: Uint8Array, piece = bytes.length): Frame[] {
  const reader = new FrameReader(LIMITS);
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; at += piece) {
    reader.push(bytes.subarray(at, at + piece));
    for (let frame = reader.next(); frame !== null; frame = reader.next()) frames.push(frame);
  }
  return frames;
}

const header = { lane: 'query', step: 3, blocks: [1, 2] };
const payload = Uint8Array.from({ length: 24 }, (_, n) => n * 7);
const message = whole('message', header, payload);

/** The message with one of its fixed fields changed. */
function changed(change: (view: DataView) => void): Uint8Array {
  const bytes = message.slice();
  change(new DataView(bytes.buffer));
  return bytes;
}

describe('frames', () => {
  it('are read as they were written, in pieces of any size', () => {
    const bytes = Buffer.concat([message, whole('at', { job: 1 }), message]);
    for (const piece of [1, 2, 3, 7, 19, 20, 21, 64, bytes.length]) {
      expect(read(bytes, piece)).toEqual([
        { kind: 'message', header, payload },
        { kind: 'at', header: { job: 1 }, payload: new Uint8Array(0) },
        { kind: 'message', header, payload },
      ]);
    }
  });

  it('lie in memory as their description says', () => {
    const bytes = whole('at', {}, Uint8Array.of(9));
    expect([...bytes.subarray(0, 16)]).toEqual([
      ...[0x58, 0x41, 0x54, 0x4e, 1, 6, 0, 0],
      ...[2, 0, 0, 0, 1, 0, 0, 0],
    ]);
    expect([...bytes.subarray(20)]).toEqual([0x7b, 0x7d, 9]);
  });

  it('keep every number, −0 included', () => {
    const value = { a: -0, b: [0, -0, 1e-320, 0.1], c: '-0', d: null };
    expect(JSON.parse(jsonOf(value))).toEqual(value);
    expect(Object.is(JSON.parse(jsonOf(-0)), -0)).toBe(true);
  });

  it('are refused by the name of the field', () => {
    const refusals: [Uint8Array, string][] = [
      [
        Uint8Array.from(Buffer.from('GET / HTTP/1.1\r\n\r\n    ')),
        '"magic" to be "XATN", got "GET "',
      ],
      [changed((view) => view.setUint8(4, 2)), '"version" to be 1, got 2'],
      [changed((view) => view.setUint8(5, 99)), '"kind" to be one of message, at, got 99'],
      [changed((view) => view.setUint8(5, 1)), '"kind" to be one of message, at, got hello'],
      [changed((view) => view.setUint16(6, 5, true)), '"zero" to be 0, got 5'],
      [
        changed((view) => view.setUint32(8, 1001, true)),
        '"header bytes" to be at most 1000 in "message", got 1001',
      ],
      [
        changed((view) => view.setUint32(12, 2 ** 32 - 1, true)),
        '"payload bytes" to be at most 1000 in "message", got 4294967295',
      ],
      [changed((view) => view.setUint8(message.length - 1, 0)), '"checksum" to be'],
      [whole('message', 'x').map((byte, n) => (n === 20 ? 0x5b : byte)), '"checksum" to be'],
    ];
    for (const [bytes, sentence] of refusals) {
      expect(() => read(bytes)).toThrow(`a frame expected ${sentence}`);
    }
  });

  it('never pass with any byte changed, nor cut short', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: message.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, by) => {
          const bytes = message.map((byte, n) => (n === at ? byte ^ by : byte));
          let frames: Frame[] = [];
          try {
            frames = read(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
          expect(frames).toEqual([]);
        },
      ),
      { seed: 5, numRuns: 5000 },
    );
    for (let length = 0; length < message.length; length++) {
      expect(read(message.subarray(0, length))).toEqual([]);
    }
  });
});
