/**
 * What a candidate's process has been asked, as far back as is worth asking again.
 * @module
 */
import type { AttentionCase } from '../../reference/case/case.ts';
import { elementCount } from '../../reference/numbers/tensor.ts';

/** So many questions are remembered, and so many numbers in them; of longer memories only the end. */
const QUESTIONS_MAX = 999;
const NUMBERS_MAX = 1 << 23;

export interface AskedSince {
  note(question: AttentionCase): void;
  /** The process is to be a new one. */
  forget(): void;
  /** All that is remembered, oldest first. */
  all(): readonly AttentionCase[];
  /** Whether that is everything since the process was new. */
  isWhole(): boolean;
}

const numbersIn = ({ inputs }: AttentionCase): number =>
  Object.values(inputs).reduce((sum, { shape }) => sum + elementCount(shape), 0);

export function askedSince(): AskedSince {
  let questions: AttentionCase[] = [];
  let numbers = 0;
  let whole = true;
  return {
    note(question) {
      questions.push(question);
      numbers += numbersIn(question);
      while (questions.length > 1 && (questions.length > QUESTIONS_MAX || numbers > NUMBERS_MAX)) {
        const [oldest] = questions.splice(0, 1);
        numbers -= oldest === undefined ? 0 : numbersIn(oldest);
        whole = false;
      }
    },
    forget() {
      questions = [];
      numbers = 0;
      whole = true;
    },
    all: () => [...questions],
    isWhole: () => whole,
  };
}
