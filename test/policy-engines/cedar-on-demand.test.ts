import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const program = `
  let compiled = 0;
  WebAssembly.Module = new Proxy(WebAssembly.Module, {
    construct: (...words) => { compiled += 1; return Reflect.construct(...words); },
  });
  const { agentsFromObjects, cedarFromText, createGuard, memoryAudit } = await import('@countersign/core');
  const { opaServer } = await import('@countersign/opa');
  const guard = await createGuard({
    origin: 'https://api.acme.dev',
    agents: agentsFromObjects([]),
    policy: opaServer({ url: 'http://127.0.0.1:8181', path: 'agent/authz/allow' }),
    audit: memoryAudit(),
  });
  await guard.close();
  const withoutCedar = compiled;
  await cedarFromText({ policies: 'permit (principal, action, resource);' });
  console.log(JSON.stringify({ withoutCedar, withCedar: compiled }));
`;

// In a process of its own: other tests have loaded Cedar into this one.
it('a guard with another policy engine compiles no Cedar, and cedarFromText does', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: import.meta.dirname,
  });
  expect(JSON.parse(stdout)).toEqual({ withoutCedar: 0, withCedar: 1 });
});
