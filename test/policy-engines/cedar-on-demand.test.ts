import { expect, it, vi } from 'vitest';

/** TypeScript declares WebAssembly with the DOM only. */
declare const WebAssembly: { readonly Module: new (bytes: Uint8Array) => object };

it('a guard with another policy engine compiles no Cedar, and cedarFromText does', async () => {
  const compile = vi.spyOn(WebAssembly, 'Module');
  const { agentsFromObjects, cedarFromText, createGuard, memoryAudit } = await import('@countersign/core');
  const { opaServer } = await import('@countersign/opa');
  const guard = await createGuard({
    origin: 'https://api.acme.dev',
    agents: agentsFromObjects([]),
    policy: opaServer({ url: 'http://127.0.0.1:8181', path: 'agent/authz/allow' }),
    audit: memoryAudit(),
  });
  await guard.close();
  expect(compile).not.toHaveBeenCalled();
  await cedarFromText({ policies: 'permit (principal, action, resource);' });
  expect(compile).toHaveBeenCalled();
});
