/**
 * Fault: one thing done wrong to the host, and what is known about it.
 * @module
 */
import { type ProfileText, profileFrom } from '../../reference/bounds/lemmas/profile-options.ts';
import type { OutputName } from '../../reference/case/case.ts';
import { PRECISIONS } from './host/precision.ts';
import type { Seams } from './host/seams.ts';
import { type Host, hostOf } from './host.ts';

export interface Fault {
  /** Letters, digits and hyphens; the name of its file. */
  readonly name: string;
  /** What goes wrong, one sentence. */
  readonly wrong: string;
  /** Where it was seen: an id of the catalogue of published faults, or `invented`. */
  readonly seen: string;
  /** The profile it is judged at; default f32. */
  readonly profile?: ProfileText;
  /** A case of the suite core that refuses it, without the suite's name; null = none can. */
  readonly shownBy: string | null;
  /** Why no case can show it; only where `shownBy` is null. */
  readonly unseen?: string;
  /** Outputs that it leaves unwritten in places: what it gives there stands for whatever lies in memory. */
  readonly unwritten?: readonly OutputName[];
  /** It keeps something from one call to the next, on which its answers depend. */
  readonly remembers?: true;
  /** The steps it replaces; called once for each candidate, so state kept here lives between calls. */
  readonly seams: () => Partial<Seams>;
}

export const profileOf = ({ profile }: Fault): ProfileText => profile ?? 'f32';

/** The host with the fault, from a fresh state. */
export const faultyHost = (fault: Fault): Host =>
  hostOf(PRECISIONS[profileFrom(profileOf(fault)).base], fault.seams());
