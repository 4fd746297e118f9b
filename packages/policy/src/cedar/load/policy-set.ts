import type { Resource } from '../../engine.js';
import type { KnownEntities } from '../request/entities.js';
import type { PolicyHead } from '../text/policy-head.js';
import type { PolicyReadings } from './policy-reading.js';
import type { NamedTexts, Schema } from './schema.js';

/** Policies that Cedar has accepted, each under the name that decisions give it. */
export interface PolicySet {
  /** By file and place in it. */
  readonly policies: readonly Policy[];
  /** The whole schema; absent when the user gave none: then nothing is validated. */
  readonly schema?: Schema;
  readonly entities: KnownEntities;
  readonly scopeVocabulary: readonly string[];
  /** SHA-256 over files, schema and entities, in hex. */
  readonly hash: string;
  /** What the next set need not read again. */
  readonly readings: PolicyReadings;
}

/** One policy and where it stands. */
export interface Policy extends PolicyHead {
  /** `file.cedar#id` with an `@id`, else `file.cedar#n` with its place in the file, from 0. */
  readonly id: string;
  readonly file: string;
  /** Line of its first token, from 1. */
  readonly line: number;
  readonly text: string;
}

export interface PolicySetTexts {
  readonly policies: NamedTexts;
  readonly schema?: NamedTexts;
  readonly entities?: readonly Resource[];
}
