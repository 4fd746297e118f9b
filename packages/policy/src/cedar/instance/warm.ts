import type { AuthorizationAnswer } from '@cedar-policy/cedar-wasm/nodejs';
import { type Cedar, freshCedar } from './instance.js';

let warmed = false;

/**
 * Decides once in a scratch instance, soon, and only the first time in a process. V8 compiles a function of the library
 * when it is first called, which would keep the first request waiting for about 100 ms.
 */
export function warmSoon(): void {
  if (warmed) return;
  warmed = true;
  setImmediate(() => decideOnce(freshCedar())).unref();
}

/** The answer of one decision; undefined, whatever went wrong: a request that has a problem with Cedar reports it. */
export function decideOnce(cedar: Cedar): AuthorizationAnswer | undefined {
  try {
    const staticPolicies = 'permit (principal in Role::"a", action, resource) when { context.scope.contains("a") };';
    cedar.preparsePolicySet('policies', { staticPolicies });
    return cedar.statefulIsAuthorized({
      principal: { type: 'Agent', id: 'a' },
      action: { type: 'Action', id: 'a' },
      resource: { type: 'Path', id: '/' },
      context: { scope: ['a'], depth: 1, request: { method: 'GET', path: '/' } },
      entities: [
        { uid: { type: 'Agent', id: 'a' }, attrs: { capabilities: ['a'] }, parents: [{ type: 'Role', id: 'a' }] },
      ],
      preparsedPolicySetId: 'policies',
    });
  } catch {
    return undefined;
  }
}
