// The same route on each host, bare and behind the guard.
import { agentsFromObjects, auditFile, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { ANSWER, ISSUER, ORIGIN, policyText, ROUTE } from './world.mjs';

const hosts = { express, fastify, koa, 'node:http': nodeHttp };

/** A listener for `http.createServer`. */
export async function application(setup) {
  return await hosts[setup.host](setup.stack === 'ours' ? await guardOf(setup) : undefined);
}

async function guardOf({ audit, policies, folder, keys }) {
  return await createGuard({
    origin: ORIGIN,
    agents: agentsFromObjects(keys.agents),
    issuers: [{ issuer: ISSUER, jwks: { keys: [keys.issuer] } }],
    policy: await cedarFromText({ policies: policyText(policies) }),
    audit: audit === 'memory' ? memoryAudit() : auditFile(folder, { durability: audit }),
  });
}

const repository = ({ owner, repo }) => ({ type: 'Repo', id: `${owner}/${repo}` });

async function express(guard) {
  const { default: createApp, json } = await import('express');
  const app = createApp();
  if (guard === undefined) return app.use(json()).post(ROUTE, answerExpress);
  const { agentAuth, permit } = await import('@countersign/express');
  const mayCreate = permit('pr.create', (request) => repository(request.params));
  return app.use(agentAuth(guard)).use(json()).post(ROUTE, mayCreate, answerExpress);
}

function answerExpress(_request, response) {
  response.status(201).json(ANSWER);
}

async function fastify(guard) {
  const { fastify: createApp } = await import('fastify');
  const app = createApp();
  if (guard === undefined) {
    app.post(ROUTE, answerFastify);
  } else {
    const { agentAuth, permit } = await import('@countersign/fastify');
    await app.register(agentAuth, { guard });
    app.post(
      ROUTE,
      permit('pr.create', (request) => repository(request.params)),
      answerFastify,
    );
  }
  await app.ready();
  return (request, response) => app.routing(request, response);
}

async function answerFastify(_request, reply) {
  reply.code(201);
  return ANSWER;
}

async function koa(guard) {
  const { default: Koa } = await import('koa');
  const { Router } = await import('@koa/router');
  const { bodyParser } = await import('@koa/bodyparser');
  const app = new Koa();
  const router = new Router();
  if (guard === undefined) {
    app.use(bodyParser());
    router.post(ROUTE, answerKoa);
  } else {
    const { agentAuth, permit } = await import('@countersign/koa');
    app.use(agentAuth(guard)).use(bodyParser());
    router.post(
      ROUTE,
      permit('pr.create', (context) => repository(context.params)),
      answerKoa,
    );
  }
  return app.use(router.routes()).callback();
}

function answerKoa(context) {
  context.status = 201;
  context.body = ANSWER;
}

async function nodeHttp(guard) {
  if (guard === undefined) return readAndAnswer;
  const { agentAuth, permit } = await import('@countersign/node-http');
  const auth = agentAuth(guard);
  const mayCreate = permit('pr.create', (request) => {
    const [, , owner, repo] = request.url.split('/');
    return repository({ owner, repo });
  });
  return async (request, response) => {
    if ((await auth(request, response)) && (await mayCreate(request, response))) await readAndAnswer(request, response);
  };
}

async function readAndAnswer(request, response) {
  const parts = [];
  for await (const part of request) parts.push(part);
  JSON.parse(Buffer.concat(parts));
  const text = JSON.stringify(ANSWER);
  response.writeHead(201, { 'content-type': 'application/json', 'content-length': text.length }).end(text);
}
