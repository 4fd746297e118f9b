import type { ApprovalRequirement } from '@countersign/approval';
import type { Resource } from '../../engine.js';
import type { KnownEntities } from '../request/entities.js';
import type { PolicyHead } from '../text/policy-head.js';
import type { PolicyReadings } from './policy-reading.js';
import type { NamedTexts, Schema } from './schema.js';

/** Policies that Cedar has accepted, with their schema and entities. */
export interface PolicySet {
  /** Ordered by file name and position. */
  readonly policies: readonly Policy[];
  /** The schema with the agent vocabulary; absent if the source has none: then nothing is validated. */
  readonly schema?: Schema;
  readonly entities: KnownEntities;
  readonly scopeVocabulary: readonly string[];
  /** SHA-256 over files, schema and entities, in hex. */
  readonly hash: string;
  /** By policy text, so that a reload reads only changed policies. */
  readonly readings: PolicyReadings;
}

/** One policy and its location. */
export interface Policy extends PolicyHead {
  /** `file.cedar#id` by its `@id`, else `file.cedar#n` by its position in the file, from 0. */
  readonly id: string;
  readonly file: string;
  /** Line of its first token, from 1. */
  readonly line: number;
  readonly text: string;
  /** What it demands before it permits, by its annotations. */
  readonly approval?: ApprovalRequirement;
  /** Unix seconds, by its annotation: from then on it permits nothing. */
  readonly expiresAt?: number;
}

export interface PolicySetTexts {
  readonly policies: NamedTexts;
  readonly schema?: NamedTexts;
  readonly entities?: readonly Resource[];
}
