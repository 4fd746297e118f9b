import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject, parseStrictJson } from '@countersign/common';
import {
  type CedarEngine,
  type Policy,
  type PolicyDecision,
  type PolicyQuery,
  type Resource,
  unloggedReaders,
} from '@countersign/core';

/** The entities of `entities.json`, which the engine has accepted: a route cannot describe them otherwise. */
async function listedEntities(folder: string): Promise<ReadonlySet<string>> {
  const text = await readFile(join(folder, 'entities.json'), 'utf8').catch(() => '[]');
  const list = parseStrictJson(text);
  const entries = list.ok && Array.isArray(list.value) ? list.value.filter(isJsonObject) : [];
  return new Set(entries.map(({ type, id }) => keyOf({ type: String(type), id: String(id) })));
}

/** Whether a decision of a query made from a record stands, whatever the log does not have. */
export type IsSettled = (query: PolicyQuery, decision: PolicyDecision) => boolean;

/**
 * A log has no attributes and parents of resources, and no authorization details. Only a policy that reads them, and whose
 * scope may hold, can change a decision.
 */
export async function settledBy(engine: CedarEngine, folder: string): Promise<IsSettled> {
  const listed = await listedEntities(folder);
  const { ofResource, ofDetails } = unloggedReaders(engine.policies);
  const ofEither = [...new Set([...ofResource, ...ofDetails])];
  return (query, { decision, policies: determining, approval }) => {
    const unlogged = listed.has(keyOf(query.resource)) ? ofDetails : ofEither;
    const unsure = unlogged.filter((policy) => mayApply(policy, query, engine));
    if (unsure.length === 0) return true;
    const hasSure = determining.some((id) => unsure.every((policy) => policy.id !== id));
    if (decision === 'deny') return hasSure;
    // A further permit changes what is allowed only if it demands an approval.
    const onlyPermits = unsure.every((policy) => policy.effect === 'permit' && policy.approval === undefined);
    return hasSure && approval === undefined && onlyPermits;
  };
}

function mayApply({ scope }: Policy, { principal, action, resource }: PolicyQuery, { actions }: CedarEngine): boolean {
  // Only a schema has groups of actions.
  const groups = actions === undefined ? scope.action.in : undefined;
  const asked = { type: 'Action', id: action };
  return (
    mayHold(scope.principal, { type: principal.type ?? 'Agent', id: principal.id }) &&
    mayHold(scope.action, asked) &&
    (groups === undefined || groups.includes(keyOf(asked))) &&
    mayHold(scope.resource, resource)
  );
}

/** Whether a constraint may hold for an entity whose groups are not known. */
function mayHold({ equals, is }: Policy['scope']['resource'], entity: Pick<Resource, 'type' | 'id'>): boolean {
  return (equals === undefined || equals === keyOf(entity)) && (is === undefined || is === entity.type);
}

/** As the scope of a policy writes an entity. */
function keyOf({ type, id }: Pick<Resource, 'type' | 'id'>): string {
  return `${type}::${JSON.stringify(id)}`;
}
