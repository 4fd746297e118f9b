import { eachInTurn, type Turns, yieldEvery } from '@countersign/common';
import type { Cedar } from '../instance/instance.js';
import { hashOf } from './policy-set-hash.js';
import { readEntities } from './known-entities.js';
import type { Policy, PolicySet, PolicySetTexts } from './policy-set.js';
import { readFiles } from './policy-files.js';
import type { PolicyReadings } from './policy-reading.js';
import { Shapes } from '../text/policy-shape.js';
import { type NamedTexts, readSchema } from './schema.js';
import { validationProblems } from './validation.js';

export type PolicySetReading =
  | { readonly ok: true; readonly set: PolicySet }
  | { readonly ok: false; readonly problems: readonly string[] };

export interface ReadPolicySetOptions {
  /** Its policies are not read again. */
  readonly earlier?: PolicySet;
  readonly turns?: Turns;
}

/** How long reading blocks the event loop, apart from single calls of Cedar. */
export const LOAD_MILLISECONDS = 2;

/**
 * Reads, names and validates policies, and lets the event loop have its turn meanwhile. Every problem names its location. Exceptions of Cedar propagate.
 */
export async function readPolicySet(
  cedar: Cedar,
  texts: PolicySetTexts,
  vocabulary: string,
  { earlier, turns = yieldEvery(LOAD_MILLISECONDS) }: ReadPolicySetOptions = {},
): Promise<PolicySetReading> {
  const files = sorted(texts.policies);
  const problems: string[] = [];
  const schemaProblems: string[] = [];
  const schema = texts.schema === undefined ? undefined : readSchema(cedar, texts.schema, vocabulary, schemaProblems);
  const shapes = new Shapes(schema?.enumeratedTypes ?? new Set());
  const known: PolicyReadings = earlier?.readings ?? new Map();
  const { policies, readings } = await readFiles(
    cedar,
    files,
    { known, shapes, turns, hasSchema: schema !== undefined },
    problems,
  );
  if (problems.length === 0) problems.push(...emptyProblems(policies), ...(await duplicateProblems(policies, turns)));
  problems.push(...schemaProblems);
  if (problems.length === 0 && schema !== undefined) {
    const validated: PolicyReadings = earlier?.schema?.text === schema.text ? earlier.readings : new Map();
    const changed: Policy[] = [];
    await eachInTurn(policies, turns, (policy) => {
      if (!validated.has(policy.text)) changed.push(policy);
    });
    problems.push(...(await validationProblems(cedar, changed, { schema, shapes, turns })));
  }
  const entities = await readEntities(cedar, texts.entities ?? [], { schema: schema?.text, turns }, problems);
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    set: {
      policies,
      ...(schema === undefined ? {} : { schema }),
      entities,
      scopeVocabulary: await vocabularyOf(readings, turns),
      hash: await hashOf({ files, schema: schema?.text, entities }, turns),
      readings,
    },
  };
}

async function vocabularyOf(readings: PolicyReadings, turns: Turns): Promise<string[]> {
  const scopes = new Set<string>();
  await eachInTurn(readings.values(), turns, (reading) => {
    for (const scope of reading.scopes) scopes.add(scope);
  });
  return [...scopes].toSorted();
}

/** By code unit, so that the hash depends on no locale. */
function sorted(texts: NamedTexts): [string, string][] {
  return Object.entries(texts).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function emptyProblems(policies: readonly Policy[]): string[] {
  if (policies.length > 0) return [];
  return ['there is no policy at all, so everything would be denied. Write at least one permit.'];
}

/** An `@id` must be unique in all files, and must differ from the position of another policy in its file. */
async function duplicateProblems(policies: readonly Policy[], turns: Turns): Promise<string[]> {
  const byId = new Map<string, Policy>();
  const byName = new Map<string, Policy>();
  const problems: string[] = [];
  await eachInTurn(policies, turns, (policy) => {
    const { id, file, line } = policy;
    const name = policy.annotations['id'] ?? undefined;
    const other = byId.get(id) ?? (name === undefined ? undefined : byName.get(name));
    byId.set(id, policy);
    if (name !== undefined) byName.set(name, policy);
    if (other === undefined) return;
    const place = `${other.file}:${other.line}`;
    problems.push(`${file}:${line}: '${name ?? id}' already names the policy at ${place}. Rename one.`);
  });
  return problems;
}
