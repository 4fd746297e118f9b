import { createHash } from 'node:crypto';
import type { Cedar } from '../instance/instance.js';
import type { KnownEntities } from '../request/entities.js';
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

/**
 * Reads, names and validates policies. Every problem names its location. Exceptions of Cedar propagate. Policies of the
 * earlier set are not read again.
 */
export function readPolicySet(
  cedar: Cedar,
  texts: PolicySetTexts,
  vocabulary: string,
  earlier?: PolicySet,
): PolicySetReading {
  const files = sorted(texts.policies);
  const problems: string[] = [];
  const schemaProblems: string[] = [];
  const schema = texts.schema === undefined ? undefined : readSchema(cedar, texts.schema, vocabulary, schemaProblems);
  const shapes = new Shapes(schema?.enumeratedTypes ?? new Set());
  const known: PolicyReadings = earlier?.readings ?? new Map();
  const { policies, readings } = readFiles(cedar, files, { known, shapes }, problems);
  if (problems.length === 0) problems.push(...emptyProblems(policies), ...duplicateProblems(policies));
  problems.push(...schemaProblems);
  if (problems.length === 0 && schema !== undefined) {
    const validated: PolicyReadings = earlier?.schema?.text === schema.text ? earlier.readings : new Map();
    const changed = policies.filter(({ text }) => !validated.has(text));
    problems.push(...validationProblems(cedar, changed, schema, shapes));
  }
  const entities = readEntities(cedar, texts.entities ?? [], schema?.text, problems);
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    set: {
      policies,
      ...(schema === undefined ? {} : { schema }),
      entities,
      scopeVocabulary: vocabularyOf(readings),
      hash: hashOf(files, schema?.text, entities),
      readings,
    },
  };
}

function vocabularyOf(readings: PolicyReadings): string[] {
  const scopes = new Set<string>();
  for (const reading of readings.values()) for (const scope of reading.scopes) scopes.add(scope);
  return [...scopes].toSorted();
}

/** By code unit, so that the hash depends on no locale. */
function sorted(texts: NamedTexts): [string, string][] {
  return Object.entries(texts).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function hashOf(files: [string, string][], schema: string | undefined, entities: KnownEntities): string {
  const parts = [files, schema ?? null, ...(entities.size === 0 ? [] : [[...entities]])];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function emptyProblems(policies: readonly Policy[]): string[] {
  if (policies.length > 0) return [];
  return ['there is no policy at all, so everything would be denied. Write at least one permit.'];
}

/** An `@id` must be unique in all files, and must differ from the position of another policy in its file. */
function duplicateProblems(policies: readonly Policy[]): string[] {
  const byId = new Map<string, Policy>();
  const byName = new Map<string, Policy>();
  return policies.flatMap((policy) => {
    const { id, file, line } = policy;
    const name = policy.annotations['id'] ?? undefined;
    const other = byId.get(id) ?? (name === undefined ? undefined : byName.get(name));
    byId.set(id, policy);
    if (name !== undefined) byName.set(name, policy);
    if (other === undefined) return [];
    return [`${file}:${line}: '${name ?? id}' already names the policy at ${other.file}:${other.line}. Rename one.`];
  });
}
