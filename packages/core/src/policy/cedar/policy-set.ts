import { createHash } from 'node:crypto';
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { permitsByHistory } from './history.js';
import type { Cedar } from './instance.js';
import { lineAt, MAX_DEPTH, type Statement, splitPolicies } from './policy-text.js';
import { describe } from './problem.js';
import { type NamedTexts, readSchema } from './schema.js';
import { scopesIn } from './scope-vocabulary.js';

/** Policies that Cedar has accepted, each under the name that decisions give it. */
export interface PolicySet {
  /** Policy text by id: `file.cedar#id` with an `@id`, else `file.cedar#n` with its place in the file, from 0. */
  readonly policies: Readonly<Record<string, string>>;
  /** The whole schema; absent when the user gave none: then nothing is validated. */
  readonly schema?: string;
  readonly scopeVocabulary: readonly string[];
  /** SHA-256 over files and schema, in hex. */
  readonly hash: string;
}

export interface PolicySetTexts {
  readonly policies: NamedTexts;
  readonly schema?: NamedTexts;
}

export type PolicySetReading =
  | { readonly ok: true; readonly set: PolicySet }
  | { readonly ok: false; readonly problems: readonly string[] };

/** One policy and where it stands, for naming it and for pointing at its faults. */
interface PlacedPolicy extends Statement {
  readonly id: string;
  /** Its `@id`. */
  readonly annotation?: string;
  readonly file: string;
  readonly json: PolicyJson;
}

/** Reads, names and validates policies. Every problem says where it is. A throw of Cedar's passes through. */
export function readPolicySet(cedar: Cedar, texts: PolicySetTexts, vocabulary: string): PolicySetReading {
  const files = sorted(texts.policies);
  const problems: string[] = [];
  const placed = files.flatMap(([file, text]) => readFile(cedar, file, text, problems));
  if (problems.length === 0) problems.push(...emptiness(placed), ...duplicates(placed), ...historians(placed));
  const schema = texts.schema === undefined ? undefined : readSchema(cedar, texts.schema, vocabulary, problems);
  const policies = Object.fromEntries(placed.map(({ id, text }) => [id, text]));
  if (problems.length === 0 && schema !== undefined) problems.push(...invalid(cedar, placed, policies, schema));
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    set: {
      policies,
      ...(schema === undefined ? {} : { schema }),
      scopeVocabulary: scopesIn(placed.map(({ json }) => json)),
      hash: createHash('sha256')
        .update(JSON.stringify([files, schema ?? null]))
        .digest('hex'),
    },
  };
}

/** By code unit, so that the hash depends on no locale. */
function sorted(texts: NamedTexts): [string, string][] {
  return Object.entries(texts).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function readFile(cedar: Cedar, file: string, source: string, problems: string[]): PlacedPolicy[] {
  // Cedar throws on a lone surrogate.
  if (/\p{Surrogate}/u.test(file + source)) {
    problems.push(`${JSON.stringify(file)}: holds a lone surrogate. Save it as UTF-8.`);
    return [];
  }
  return splitPolicies(source).flatMap((statement, place) => readPolicy(cedar, file, statement, place, problems));
}

function readPolicy(
  cedar: Cedar,
  file: string,
  statement: Statement,
  place: number,
  problems: string[],
): PlacedPolicy[] {
  const { text, line, depth } = statement;
  if (depth > MAX_DEPTH) {
    const advice = 'Split the policy, or write long alternatives as [...].contains(...)';
    problems.push(`${file}:${line}: nests or chains ${depth} deep, ${MAX_DEPTH} are allowed. ${advice}.`);
    return [];
  }
  const answer = cedar.policyToJson(text);
  if (answer.type === 'failure') {
    for (const error of answer.errors) {
      const at = error.sourceLocations?.[0]?.start ?? 0;
      problems.push(`${file}:${lineAt(text, at, line)}: ${describe(error)}`);
    }
    return [];
  }
  const annotation = answer.json.annotations?.['id'];
  if (annotation === undefined) return [{ ...statement, file, id: `${file}#${place}`, json: answer.json }];
  // Cedar gives null for a bare @id.
  if (typeof annotation === 'string' && annotation !== '') {
    return [{ ...statement, file, id: `${file}#${annotation}`, annotation, json: answer.json }];
  }
  problems.push(`${file}:${line}: @id is empty. Give the policy a name, like @id("drafts").`);
  return [];
}

function emptiness(placed: readonly PlacedPolicy[]): string[] {
  if (placed.length > 0) return [];
  return ['there is no policy at all, so everything would be denied. Write at least one permit.'];
}

/** An `@id` names one policy in all files, and cannot pass for the place of another in its own. */
function duplicates(placed: readonly PlacedPolicy[]): string[] {
  const byId = new Map<string, PlacedPolicy>();
  const byAnnotation = new Map<string, PlacedPolicy>();
  return placed.flatMap((policy) => {
    const { id, annotation, file, line } = policy;
    const other = byId.get(id) ?? (annotation === undefined ? undefined : byAnnotation.get(annotation));
    byId.set(id, policy);
    if (annotation !== undefined) byAnnotation.set(annotation, policy);
    if (other === undefined) return [];
    return [
      `${file}:${line}: '${annotation ?? id}' already names the policy at ${other.file}:${other.line}. Rename one.`,
    ];
  });
}

function historians(placed: readonly PlacedPolicy[]): string[] {
  return placed
    .filter(({ json }) => permitsByHistory(json))
    .map(
      ({ file, line }) =>
        `${file}:${line}: a permit reads context.via (or context as a whole). History may forbid, never permit: move it into a forbid.`,
    );
}

function invalid(
  cedar: Cedar,
  placed: readonly PlacedPolicy[],
  policies: Record<string, string>,
  schema: string,
): string[] {
  const answer = cedar.validate({
    schema,
    policies: { staticPolicies: policies },
    validationSettings: { mode: 'strict' },
  });
  if (answer.type === 'failure') return answer.errors.map((error) => describe(error));
  const byId = new Map(placed.map((policy) => [policy.id, policy]));
  // What Cedar only warns of weakens silently: a forbid that can never apply, a name in look-alike letters.
  const found = answer.validationErrors.length > 0 ? answer.validationErrors : answer.validationWarnings;
  return found.map(({ policyId, error }) => {
    const policy = byId.get(policyId);
    if (policy === undefined) return `${policyId}: ${describe(error)}`;
    const at = error.sourceLocations?.[0]?.start ?? 0;
    return `${policy.file}:${lineAt(policy.text, at, policy.line)}: ${describe(error)}`;
  });
}
