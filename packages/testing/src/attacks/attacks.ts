import { randomUUID } from 'node:crypto';
import { ConfigError, guardDefaults } from '@countersign/common';
import type { AgentRegistry, Guard, GuardOptions, RefusalCode } from '@countersign/core';
import { type Held, heldBy, type TestCaller, type World } from '../caller.js';
import type { TestRequest } from '../clients/client.js';
import { withBody } from '../clients/sign-fields.js';
import { exchange, type Message, type TestApp, textOf } from '../clients/exchange.js';
import type { Attempt, RequestKind } from './attempt.js';
import { Forge } from './forge.js';
import { onBodies } from './on-bodies.js';
import { onLinks } from './on-links.js';
import { onSignatures } from './on-signatures.js';
import { onAgents, onTokens } from './on-tokens.js';

/** A request that a guarded route must refuse. */
export interface Attack {
  readonly name: string;
  /** The code of the refusal. */
  readonly code: RefusalCode;
  /**
   * Sends it. The first time for an application, the honest request is sent before it, and must be answered below 400:
   * attacks on a route that refuses everything prove nothing.
   */
  readonly send: (app: TestApp) => Promise<Response>;
}

/** Makes attacks of an honest request. */
export interface Attacks {
  /**
   * @throws ConfigError if the guard only observes.
   *
   * @example
   * test.each(t.attacks.for(alice, { method: 'POST', path: '/prs', body: { title: 'Fix' } }))(
   *   'refuses: $name',
   *   async ({ send, code }) => expect(await send(app)).toBeRefusedWith(code),
   * );
   */
  for(caller: TestCaller, request: TestRequest & { readonly path: string }): readonly Attack[];
}

interface AttackWorld extends World {
  readonly guard: Guard;
  readonly registry: AgentRegistry;
  readonly options: Pick<GuardOptions, 'traffic' | 'bearer' | 'maxDelegationDepth'>;
  readonly register: (id: string, capabilities: readonly string[], roles: readonly string[]) => { readonly held: Held };
}

const attempts: readonly Attempt[] = [...onSignatures, ...onBodies, ...onTokens, ...onLinks, ...onAgents];

export function createAttacks(world: AttackWorld): Attacks {
  const { origin, guard, registry, register, options } = world;
  const { traffic = 'agents', bearer = false, maxDelegationDepth = guardDefaults.maxDelegationDepth } = options;
  return {
    for(caller, { path, method = 'GET', headers = {}, body }) {
      if (guard.mode === 'observe') throw new ConfigError("attacks: mode is 'observe', so nothing is refused.");
      const by = heldBy(caller, 'attacks');
      const request = { method: method.toUpperCase(), path, ...withBody(body, headers) };
      const forge = new Forge(world, by, request);
      const kind: RequestKind = {
        hasBody: request.body !== undefined && request.body.length > 0,
        hasToken: by.token !== undefined,
        linked: by.linked,
        marked: traffic === 'agents' || by.token !== undefined || by.linked,
        bearer: bearer && by.token !== undefined,
        mayLink: maxDelegationDepth > 1,
      };
      const scene = {
        guard,
        registry,
        accomplice: () => register(`accomplice-${randomUUID()}`, by.capabilities, by.roles).held,
      };
      const controls = new Map<TestApp, Promise<void>>();

      const attack = ({ name, code, bearerCode, make }: Attempt): Attack => ({
        name,
        code: kind.bearer ? (bearerCode ?? code) : code,
        async send(app) {
          const control = controls.get(app) ?? sendHonest(app, forge, origin);
          controls.set(app, control);
          await control;
          const sendTo = async (message: Message): Promise<Response> => await exchange(app, message, origin);
          return await sendTo(await make(forge, sendTo, scene));
        },
      });
      return attempts.filter(({ needs }) => needs === undefined || needs(kind)).map(attack);
    },
  };
}

async function sendHonest(app: TestApp, forge: Forge, origin: string): Promise<void> {
  const { method, path } = forge.request;
  const answer = await exchange(app, await forge.honest(), origin);
  if (answer.status < 400) return;
  throw new Error(
    `attacks: the honest ${method} ${path} was answered with ${answer.status}, so attacks prove nothing: ${textOf(answer)}`,
  );
}
