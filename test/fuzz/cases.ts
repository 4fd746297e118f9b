import { dpopOriginal } from './dpop.js';
import { completeDraft, drafts, signDraft, webBotAuthDraft } from './kinds.js';
import { bytesOf, type Message, messageOf } from './message.js';
import { bodyMutations, mutateBytes, splice } from './mutations/bodies.js';
import { lineMutations, type WireMutation } from './mutations/lines.js';
import { signerMutations } from './mutations/signer.js';
import { valueMutations } from './mutations/values.js';
import type { Original } from './original.js';
import { Random } from './random.js';

/** The bytes of one connection, and the signed requests from which they were made. */
export interface FuzzCase {
  readonly index: number;
  /** Names of the mutations, in order; none: it must be accepted. */
  readonly mutations: readonly string[];
  readonly originals: readonly Original[];
  readonly bytes: Buffer;
}

const wireMutations: Readonly<Record<string, WireMutation>> = { ...lineMutations, ...valueMutations, ...bodyMutations };
const wireNames = Object.keys(wireMutations);
const signerNames = Object.keys(signerMutations);
const draftNames = Object.keys(drafts);

/** Creates a case, which depends only on seed, index and `now` (Unix seconds). */
export function makeCase(seed: number, index: number, now: number): FuzzCase {
  const random = new Random(seed, index);
  const mutations: string[] = [];
  const original = makeOriginal(random, now, mutations);
  // One case in twenty is unchanged and must be accepted; otherwise the refusals of the others prove nothing.
  if (mutations.length === 0 && random.chance(0.05))
    return { index, mutations, originals: [original], bytes: bytesOf(messageOf(original, random)) };

  const message = messageOf(original, random);
  const way = random.below(10);
  if (way === 0) {
    const other = makeOriginal(random, now, mutations);
    mutations.push('splice');
    const bytes = bytesOf(splice(message, messageOf(other, random), random));
    return { index, mutations, originals: [original, other], bytes };
  }
  if (way === 1 && random.chance(0.3)) {
    const other = makeOriginal(random, now, mutations);
    mutations.push('pipeline');
    const bytes = Buffer.concat([bytesOf(message), bytesOf(messageOf(other, random))]);
    return { index, mutations, originals: [original, other], bytes };
  }
  return { index, mutations, originals: [original], bytes: mutateMessage(message, random, mutations, way < 3) };
}

function mutateMessage(message: Message, random: Random, mutations: string[], inBytes: boolean): Buffer {
  let changed = message;
  // A change before signing is mostly sent unchanged, so that the guard reaches it.
  const count = mutations.length > 0 && random.chance(0.8) ? 0 : random.pick([1, 1, 1, 2, 3]);
  for (let done = 0; done < count; done += 1) {
    const name = random.pick(wireNames);
    mutations.push(name);
    changed = wireMutations[name]?.(changed, random) ?? changed;
  }
  let bytes = bytesOf(changed);
  for (let left = inBytes ? random.pick([1, 1, 2, 4]) : 0; left > 0; left -= 1) {
    mutations.push('bytes');
    bytes = mutateBytes(bytes, random);
  }
  return bytes;
}

function makeOriginal(random: Random, now: number, mutations: string[]): Original {
  const at = random.below(draftNames.length + 2);
  if (at === draftNames.length) {
    const original = dpopOriginal(random, now);
    if (original.altered !== undefined) mutations.push(original.altered);
    return original;
  }
  const made = drafts[draftNames[at] ?? ''];
  const draft = made === undefined ? webBotAuthDraft(random, now) : completeDraft(made(random, now), random, now);
  if (!random.chance(0.25)) return signDraft(draft);
  const name = random.pick(signerNames);
  const changed = signerMutations[name]?.(draft, random, now) ?? draft;
  if (changed === draft) return signDraft(draft);
  mutations.push(name);
  return signDraft(changed, name);
}
