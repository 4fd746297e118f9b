import type { CedarEngine, PolicyQuery } from '@countersign/core';
import { covers, spellingHint } from '@countersign/delegation';

/** Reports an action or type that the schema does not have, with a spelling hint. Undefined without a schema. */
export function unknownName({ action, resource }: PolicyQuery, { actions }: CedarEngine): string | undefined {
  if (actions === undefined) return undefined;
  if (!actions.has(action)) {
    return `the schema has no action '${action}'. ${spellingHint(action, [...actions.keys()], 'actions')}`;
  }
  const types = [...new Set([...actions.values()].flat())];
  if (types.includes(resource.type)) return undefined;
  return `no action of the schema is on a '${resource.type}'. ${spellingHint(resource.type, types, 'types')}`;
}

/** Reports scopes that cover no scope in the policies, with a spelling hint for each. */
export function unknownScopes({ context }: PolicyQuery, { scopeVocabulary }: CedarEngine): readonly string[] {
  const unknown = context.scope.filter((scope) => !scopeVocabulary.some((known) => covers(scope, known)));
  return unknown.map((scope) => {
    const hint = spellingHint(scope, scopeVocabulary, 'scopes');
    // The vocabulary also contains literals that are not scopes, so that a list of it would not help.
    return `no policy asks for the scope '${scope}'.${hint.startsWith('Did') ? ` ${hint}` : ''}`;
  });
}
