import type { CedarEngine, PolicyQuery } from '@countersign/core';
import { covers, spellingHint } from '@countersign/delegation';

/** What names an action or a type that the schema does not have, and what was meant. Without a schema nobody knows. */
export function unknownName({ action, resource }: PolicyQuery, { actions }: CedarEngine): string | undefined {
  if (actions === undefined) return undefined;
  if (!actions.has(action)) {
    return `the schema has no action '${action}'. ${spellingHint(action, [...actions.keys()], 'actions')}`;
  }
  const types = [...new Set([...actions.values()].flat())];
  if (types.includes(resource.type)) return undefined;
  return `no action of the schema is on a '${resource.type}'. ${spellingHint(resource.type, types, 'types')}`;
}

/** For each scope that no policy asks for, nor for one that it covers: what was meant. */
export function unknownScopes({ context }: PolicyQuery, { scopeVocabulary }: CedarEngine): readonly string[] {
  const unknown = context.scope.filter((scope) => !scopeVocabulary.some((known) => covers(scope, known)));
  return unknown.map((scope) => {
    const hint = spellingHint(scope, scopeVocabulary, 'scopes');
    // What policies compare with stands among the scopes that they name: a list of it would help nobody.
    return `no policy asks for the scope '${scope}'.${hint.startsWith('Did') ? ` ${hint}` : ''}`;
  });
}
