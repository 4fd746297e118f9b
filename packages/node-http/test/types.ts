// Compiled with the tests and never run: it asserts types.
import type { Caller, Guard } from '@countersign/core';
import { createServer, type IncomingMessage } from 'node:http';
import { agentAuth, getCaller, permit } from '../src/index.js';

declare const guard: Guard;

const auth = agentAuth(guard);
const mayRead = permit('read', ({ url }) => ({ type: 'Path', id: url ?? '' }), { requires: 'thing:read' });
const mayWrite = permit('write', (request: IncomingMessage & { readonly id: string }) => ({
  type: 'Thing',
  id: request.id,
}));

createServer(async (request, response) => {
  const letIn: boolean = await auth(request, response);
  if (!letIn || !(await mayRead(request, response))) return;
  await mayWrite(Object.assign(request, { id: '1' }), response);
  // @ts-expect-error this permit needs a request with an id
  await mayWrite(request, response);
  const caller: Caller | undefined = getCaller(request);
  // @ts-expect-error there may be no caller
  response.end(caller.actor.id);
});

// @ts-expect-error a guard is needed
agentAuth();
// @ts-expect-error there are two ways to refuse
agentAuth(guard, { onRefusal: 'ignore' });
// @ts-expect-error a resource is needed
permit('read');
// @ts-expect-error a resource has an id
permit('read', { type: 'Thing' });
// @ts-expect-error no such option
permit('read', { type: 'Thing', id: '1' }, { require: 'x' });
