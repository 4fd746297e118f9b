import { createHash, generateKeyPairSync } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { approvalDetails, type ApprovalDisclosure, argumentsDigest } from '@countersign/approval';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { decide, needs, people, requestOf, requirement, startApprovals } from '../support/approvals.js';
import { sql, type Store } from '../../src/storage/store.js';
import { claimsOf, exchange, newKey, post } from '../support/client.js';
import { open, submit, ticketOf } from '../support/pages.js';
import { login, world } from '../support/sign-in.js';
import { engines } from '../support/stores.js';

const rita = 'user:rita';
const given = {
  title: 'Fix the flaky test',
  note: `${'long '.repeat(200)}end`,
  rtl: 'a\u202eb',
  '<b>name</b>': [1, 2],
};
const call = {
  http: undefined,
  call: { method: 'tools/call', name: 'merge', argumentsDigest: argumentsDigest(given) },
} as unknown as Parameters<typeof requestOf>[0];

async function text(url: string, user?: string): Promise<string> {
  return await (await open(url, user)).text();
}

function digestOf(body: string | Uint8Array): string {
  return `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
}

/** The words of the page that show the body of a request with these fields. */
async function contentShown(
  fields: Readonly<Record<string, string>>,
  body: string | Uint8Array,
  shown: ApprovalDisclosure = { text: String(body) },
): Promise<string> {
  const { running, ask } = await startApprovals();
  const http = { ...requestOf().http!, fields, contentDigest: digestOf(body) };
  const page = await text(`${running.issuer}/approvals/${await ask({ http }, shown)}`, rita);
  return plainText(/<h3>Body[\s\S]*?(?=<h2>)/.exec(page)?.[0] ?? '');
}

function plainText(content: string): string {
  return content
    .replace(/<[^>]+>/g, ' ')
    .replace(/&#(\d+);/g, (_match, code: string) => String.fromCodePoint(Number(code)))
    .replace(/\s+/g, ' ')
    .trim();
}

/** What people see of a query, on a page without a body. */
async function queryShown(query: string): Promise<string> {
  const { running, ask } = await startApprovals();
  const page = await text(`${running.issuer}/approvals/${await ask({ http: { ...requestOf().http!, query } })}`, rita);
  return plainText(/<h3>Query[\s\S]*?(?=<p class="quiet">The request has no body)/.exec(page)?.[0] ?? '');
}

describe('the pages of approvers', () => {
  it('show all of a request: who, for whom, the chain, and every argument by its name', async () => {
    const { running, ask } = await startApprovals();
    const id = await ask({ ...call, ...needs(2) }, { arguments: given, why: 'All checks are green' });
    const page = await text(`${running.issuer}/approvals/${id}`, rita);
    for (const part of [
      'Merge bot',
      'team:billing',
      'pr.merge',
      'acme/api',
      'user:alice',
      'agent-planner',
      'policies.cedar#merge',
      'All checks are green',
      '2 of <bdi>release-managers</bdi>',
      'Fix the flaky test',
      'a\\u202eb',
      '&#60;b&#62;name&#60;/b&#62;',
      '1003 characters',
      String(argumentsDigest(given)),
    ]) {
      expect(page).toContain(part);
    }
    const without = await ask({ http: { ...requestOf().http!, contentDigest: 'sha-256=:x:' } });
    expect(await text(`${running.issuer}/approvals/${without}`, rita)).toContain('does not show the content');
  });

  it.each([
    ['{"account":9007199254740992,"amount":1}', 'account 9007199254740992 amount 1'],
    ['{"to":{"a":123456789012345680000,"b":[]}}', 'to { "a": 123456789012345680000, "b": [] }'],
    ['{"x":1E23,"y":-0,"z":1.50}', 'x 1E23 y -0 z 1.50'],
    ['{"a":0.1000000000000000055511151231257827}', 'a 0.1000000000000000055511151231257827'],
    [
      '{"five":"5","none":"null","list":"[1]","empty":"","text":"it is 5"}',
      'five "5" none "null" list "[1]" empty "" text it is 5',
    ],
    ['{ "a" : [ { "\\u0062" : "\\u0063\\"" } , true ] }', 'a [ { "b": "c\\"" }, true ]'],
    ['[{"\\u0074o":"\\u006dallory"}]', '[ { "to": "mallory" } ]'],
    [
      '{"to\u034f":"ali\u034fce","amount":"10\ufe0f","blank":"\u3164\u2800","tag":"a\u{e0100}","emoji":"❤\ufe0f"}',
      'to\\u034f ali\\u034fce amount 10\\ufe0f blank \\u3164\\u2800 tag a\\udb40\\udd00 emoji ❤\ufe0f',
    ],
    ['{}', 'None.'],
  ])('show each value of the body %s as it was written [C11]', async (body, shown) => {
    expect(await contentShown({ 'content-type': 'application/json' }, body)).toBe(`Body ${shown}`);
  });

  it('raise the alarm for names with letters that look like others, also within values [C13]', async () => {
    const json = { 'content-type': 'application/json' };
    const alarm =
      'Body Names have letters or spaces that can look like others, or like nothing. The API may ignore what you see.';
    expect(await contentShown(json, '{"table":"users","dr\u0443_run":true}')).toBe(
      `${alarm} dr\\u0443_run table users dr\u0443_run true`,
    );
    expect(await contentShown(json, '[{"options":{"dr\u0443_run":true}}]')).toContain(`${alarm} dr\\u0443_run [`);
    for (const [name, spelled] of [
      ['dry_run ', 'dry_run\\u0020'],
      [' dry_run', '\\u0020dry_run'],
      ['dry  run', 'dry\\u0020 run'],
    ] as const) {
      expect(await contentShown(json, JSON.stringify({ [name]: true }))).toContain(`${alarm} ${spelled} `);
    }
    const many = Object.fromEntries(Array.from({ length: 103 }, (_, at) => [`\u00e4${at}`, at]));
    expect(await contentShown(json, JSON.stringify(many))).toContain('and 3 more');
    expect(await contentShown(json, '{"two words":{"a-b":1,"$c":2}}')).not.toContain('look like');
  });

  it('fold a name that would push others out of sight [C13]', async () => {
    const body = JSON.stringify({ ['n'.repeat(1000)]: 1, amount: 1 });
    expect(await contentShown({ 'content-type': 'application/json' }, body)).toContain('1000 characters');
  });

  it('show the pairs of a form, decoded and in order [C13]', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = 'to=%6d%61llory&amount=10&rtl=a%E2%80%AEb&none=&html=%3Ci%3E';
    expect(await contentShown(form, body)).toBe('Body, a form to mallory amount 10 rtl a\\u202eb none Empty. html <i>');
  });

  it('show the pairs of a query, decoded and in order, and raise the alarm where parsers differ [C13]', async () => {
    expect(await queryShown('')).toBe('');
    expect(await queryShown('?amount=10&to=%6d%61llory')).toBe('Query amount 10 to mallory');
    const twice = `?amount=10&to=alice&memo=${'long+'.repeat(80)}&to=mallory`;
    expect(await queryShown(twice)).toMatch(
      /^Query It is not known how the API reads this query: as a form, it has the same name twice\. .* to alice .* to mallory Query, as it is sent/,
    );
    expect(await queryShown('?to=alice&%74%6f=mallory')).toMatch(/read in different ways.* to alice to mallory /);
  });

  it('fold a value of many lines, which would push others out of sight [C13]', async () => {
    const json = { 'content-type': 'application/json' };
    const [few, many] = [11, 290].map((count) => JSON.stringify({ note: '\n'.repeat(count), amount: 1 }));
    expect(await contentShown(json, few ?? '')).not.toContain('characters');
    expect(await contentShown(json, many ?? '')).toContain('290 characters');
  });

  const utf7 = '{"to":"alice","amount":10,"reference":"+ACIALAAiAHQAbwAiADoAIgBtAGEAbABsAG8AcgB5-"}';
  const hidden = '{"to":"alice","amount":10,"reference":"r1&%74%6f=mallory&%61mount=9999&z="}';
  const form = 'application/x-www-form-urlencoded';
  it.each<[string, string | undefined, string, string]>([
    ['of another charset', 'application/json; charset=utf-7', utf7, 'another charset'],
    ['of no type', undefined, utf7, 'no Content-Type'],
    ['of another type', 'text/plain', utf7, 'neither that of JSON nor that of a form'],
    ['with a member twice', 'application/json', '{"a":1,"a":2}', 'the same member twice'],
    ['that is a form for some and JSON for others', form, hidden, 'parsers read in different ways'],
    ['with a number that readers round', 'application/json', '{"account":9007199254740993}', 'not every reader keeps'],
  ])(
    'show a body %s as it is sent, with the alarm that nobody knows how it is read [C13]',
    async (_what, type, body, problem) => {
      const content = await contentShown(type === undefined ? {} : { 'content-type': type }, body);
      expect(content).toMatch(/^Body It is not known how the API reads this body: /);
      expect(content).toContain(problem);
      expect(content.endsWith(body)).toBe(true);
      expect(content).not.toContain('to alice');
      expect(content.includes('to mallory')).toBe(body === hidden);
    },
  );

  it('show a body of text in base64 as text, and other bytes with an alarm [C13]', async () => {
    const json = { 'content-type': 'application/json' };
    const body = '{"to":"mallory","amount":9999}';
    expect(await contentShown(json, body, { base64: Buffer.from(body).toString('base64') })).toBe(
      'Body to mallory amount 9999',
    );
    const bytes = Buffer.from([0, 255]);
    expect(await contentShown(json, bytes, { base64: 'AP8=' })).toMatch(
      /^Body, in base64 The body is not text\. .* AP8=$/,
    );
  });

  it('take no content but that of the request [C13]', async () => {
    const { askRaw } = await startApprovals();
    const body = '{"to":"mallory","amount":9999}';
    const base64 = Buffer.from(body).toString('base64');
    const asked = requestOf({ http: { ...requestOf().http!, contentDigest: digestOf(body) } });
    for (const shown of [
      { base64: '' },
      { text: '' },
      { base64: `${base64}\n\nThe same, decoded:\n{ "to": "alice" }` },
      { arguments: { to: 'alice', amount: 10, reference: '\ud800' } },
      { arguments: { to: 'alice', amount: 10, x: Array(10_001).fill(0) } },
    ]) {
      const answer = await askRaw([approvalDetails(asked, shown)]);
      expect([answer.status, await answer.json()]).toEqual([
        400,
        expect.objectContaining({ error: 'approval_invalid' }),
      ]);
    }
  });

  it('raise the alarm for each of two contents that is not shown [C13]', async () => {
    const { running, ask } = await startApprovals();
    const http = { ...requestOf().http!, contentDigest: digestOf('{}') };
    const id = await ask({ ...call, http }, { arguments: given });
    expect(await text(`${running.issuer}/approvals/${id}`, rita)).toMatch(
      /Fix the flaky test[\s\S]*The agent does not show the content/,
    );
  });

  it('show the owner that is bound, and the one of now [C11]', async () => {
    const { running, ask } = await startApprovals();
    const url = `${running.issuer}/approvals/${await ask()}`;
    await running.authority.agents.update('agent-a', { owner: 'team:sales' });
    const page = await text(url, rita);
    expect(page).toMatch(
      /Run by<\/bdi><\/dt><dd><code><bdi>team:billing[\s\S]*Run by, now<\/bdi><\/dt><dd><code><bdi>team:sales/,
    );
  });

  it('take a decision once, by the button, and tell it', async () => {
    const { running, ask, poll } = await startApprovals();
    const id = await ask(needs(1, { reason: 'required' }));
    const url = `${running.issuer}/approvals/${id}`;
    expect(await text(`${running.issuer}/approvals`, rita)).toContain(`href="${url}"`);
    const ticket = ticketOf(await text(url, rita));
    expect((await submit(url, rita, { ticket, decision: 'approve', reason: ' ' })).status).toBe(400);
    const done = await submit(url, rita, { ticket, decision: 'approve', reason: 'read it' });
    expect([done.status, done.headers.get('location')]).toEqual([303, `${url}?done`]);
    expect(await text(`${url}?done`, rita)).toMatch(/Your decision is recorded\.[\s\S]*was approved\.[\s\S]*read it/);
    expect((await submit(url, rita, { ticket, decision: 'deny', reason: '' })).status).toBe(409);
    expect((await poll(id))['status']).toBe('approved');
    expect(await text(`${running.issuer}/approvals`, rita)).toContain('Nothing waits for you.');
    expect(await text(`${running.issuer}/approvals/history`, rita)).toContain('Approved');
  });

  it('show which decisions do not count any more, and what is missing since [C11]', async () => {
    const { running, ask, poll } = await startApprovals();
    const [waiting, given] = [await ask(), await ask({ action: 'pr.close' })];
    const url = (id: string) => `${running.issuer}/approvals/${id}`;
    for (const id of [waiting, given]) await decide(running, id, 'approve');
    expect((await poll(given))['status']).toBe('approved');
    expect(await text(`${running.issuer}/approvals`, 'user:ron')).toContain('Nothing waits for you.');
    await running.admin('POST', '/revocations', { subject: rita });
    const again = await text(url(waiting), 'user:ron');
    expect(again).toMatch(/It still needs 1 more of <bdi>release-managers/);
    expect(again).toMatch(/<bdi>Rita<\/bdi>[\s\S]*Does not count any more:<\/strong> this person was revoked/);
    expect(again).toContain('name="decision" value="approve"');
    expect(await text(`${running.issuer}/approvals`, 'user:ron')).toContain(`href="${url(waiting)}"`);
    const late = await text(url(given), 'user:ron');
    expect(late).toMatch(/was approved\.[\s\S]*It lacks people now,[\s\S]*the agent had the approval already/);
    expect(late).toContain('Does not count any more:');
    expect(late).not.toContain('name="decision"');
    // Whoever decided before does not decide anew.
    expect(await text(url(waiting), rita)).toContain('You have decided.');
  });

  it('show nothing to the wrong person, not even that there is a request [C11]', async () => {
    const { running, ask } = await startApprovals();
    const url = `${running.issuer}/approvals/${await ask(needs(1, { excluded: ['owner'] }))}`;
    const unknown = await text(`${running.issuer}/approvals/${'x'.repeat(32)}`, rita);
    for (const wrong of ['user:mallory', 'user:tess', 'user:eve']) {
      const answer = await open(url, wrong);
      expect([answer.status, await answer.text()]).toEqual([404, unknown]);
      expect(await text(`${running.issuer}/approvals`, wrong)).toContain('Nothing waits for you.');
    }
    const signedOut = await open(url);
    expect(signedOut.headers.get('location')).toBe(`https://app.acme.dev/login?next=${encodeURIComponent(url)}`);
    const owner = await text(url, 'user:olga');
    expect(owner).toContain('The owner of an agent may not approve this.');
    expect(owner).not.toContain('<form');
    expect((await open(url, 'agent-a')).status).toBe(403);
  });

  it('check who decides again when the form comes, and that it is theirs [O2, C11]', async () => {
    const { running, ask, poll } = await startApprovals();
    const [id, other] = [await ask(), await ask({ action: 'pr.close' })];
    const url = `${running.issuer}/approvals/${id}`;
    const ticket = ticketOf(await text(url, rita));
    const fields = { ticket, decision: 'approve', reason: '' };
    expect((await submit(url, 'user:ron', fields)).status).toBe(403);
    expect((await submit(`${running.issuer}/approvals/${other}`, rita, fields)).status).toBe(403);
    expect((await submit(url, rita, { decision: 'approve', reason: '' })).status).toBe(403);
    expect((await submit(url, rita, { ...fields, decision: 'approved' })).status).toBe(403);
    expect((await submit(url, rita, fields, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await submit(url, rita, fields, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    // In the group when the page was shown, and not any more.
    const before = people[rita];
    Object.assign(people, { [rita]: { groups: [] } });
    expect((await submit(url, rita, fields)).status).toBe(404);
    Object.assign(people, { [rita]: before });
    expect((await poll(id))['status']).toBe('pending');
    expect((await submit(url, rita, fields)).status).toBe(303);
  });

  it('say who denied the same request before, and ask nobody whose consent changes nothing', async () => {
    const { running, ask, withdraw } = await startApprovals();
    await decide(running, await ask(), 'deny', 'Not on a Friday');
    // An agent may ask and withdraw as often as it likes.
    for (let count = 0; count < 7; count++) await withdraw(await ask());
    const again = await ask();
    const page = await text(`${running.issuer}/approvals/${again}`, 'user:ron');
    expect(page).toMatch(/The same request before[\s\S]*was denied\.[\s\S]*Rita[\s\S]*Not on a Friday/);
    const changed = await ask({ http: { ...requestOf().http!, query: '?x' } });
    expect(await text(`${running.issuer}/approvals/${changed}`, 'user:ron')).toMatch(
      /Denied before: the same action[\s\S]*was denied\.[\s\S]*Rita[\s\S]*Not on a Friday/,
    );
    const quorums = [
      { groups: ['release-managers'], count: 1 },
      { groups: ['security'], count: 1 },
    ];
    const id = await ask({ action: 'pr.close', ...needs(1, { quorums }) });
    await decide(running, id, 'approve');
    expect(await text(`${running.issuer}/approvals`, 'user:ron')).not.toContain(id);
    expect(await text(`${running.issuer}/approvals`, 'user:sam')).toContain(id);
  });

  it('keep what people decided in sight, however much an agent withdraws [C11]', async () => {
    const { running, ask, withdraw } = await startApprovals();
    const id = await ask({ action: 'db.drop' });
    await decide(running, id, 'deny', 'Never');
    for (let count = 0; count < 101; count++) await withdraw(await ask());
    const history = await text(`${running.issuer}/approvals/history`, 'user:ron');
    expect(history).toMatch(/Decided[\s\S]*db\.drop[\s\S]*Without a decision[\s\S]*pr\.merge/);
    const listed = await (await running.admin('GET', '/approvals?status=ended&limit=1')).json();
    expect(listed).toMatchObject({ approvals: [{ id }] });
  });

  it('say that more may wait than they show, of which each agent has its share [M6]', async () => {
    const { running, ask } = await startApprovals({ breakGlass: ['user:eve'] });
    const [id, other] = [await ask(), await ask({ action: 'pr.close' })];
    const before = await text(`${running.issuer}/approvals`, rita);
    expect(before).not.toContain('More may wait');
    await running.store.batch(
      Array.from({ length: 250 }, (_, index) => [
        sql`
          INSERT INTO countersign_approvals
            (id, binding, agent, tenant, request, status, version, asked_at, decide_by, broke_glass)
          SELECT ${`${index}`}, ${`${index}`}, 'agent-x', '', request, 'pending', 0, asked_at, decide_by - 1800, 0
          FROM countersign_approvals WHERE id = ${id}`,
        sql`INSERT INTO countersign_approval_groups (approval_id, name) VALUES (${`${index}`}, 'release-managers')`,
      ]).flat(),
    );
    for (const person of [rita, 'user:eve']) {
      const page = await text(`${running.issuer}/approvals`, person);
      expect(page).toMatch(/More may wait than are shown/);
      expect(page.match(/class="item"/g)).toHaveLength(200);
      expect([page.includes(id), page.includes(other)]).toEqual([true, true]);
    }
    const listed = (await (await running.admin('GET', '/approvals')).json()) as { approvals: object[]; more: boolean };
    expect([listed.approvals.length, listed.more]).toEqual([200, true]);
  });

  it('let a named person approve in an emergency, and another review it', async () => {
    const { running, ask, poll } = await startApprovals({ breakGlass: ['user:eve'], groups: { ops: ['user:rita'] } });
    const id = await ask(needs(2));
    const url = `${running.issuer}/approvals/${id}`;
    expect(await text(`${running.issuer}/approvals`, 'user:eve')).toContain('Only in an emergency');
    const ticket = ticketOf(await text(url, 'user:eve'));
    expect((await submit(url, 'user:eve', { ticket, decision: 'break_glass', reason: '' })).status).toBe(400);
    expect((await submit(url, 'user:eve', { ticket, decision: 'approve', reason: 'x' })).status).toBe(403);
    expect((await submit(url, 'user:eve', { ticket, decision: 'break_glass', reason: 'outage' })).status).toBe(303);
    expect((await poll(id))['status']).toBe('approved');
    const page = await text(url, rita);
    expect(page).toContain('Nobody has reviewed it yet.');
    expect(await text(url, 'user:eve')).not.toContain('value="review"');
    expect((await submit(url, rita, { ticket: ticketOf(page), decision: 'review' })).status).toBe(303);
    expect(await text(url, rita)).toContain('Reviewed by <bdi>user:rita</bdi>');
  });

  it('count members that the options name, and answer other requests with a page', async () => {
    const { running, ask } = await startApprovals({ groups: { 'release-managers': ['user:eve'] } });
    const id = await ask();
    expect(await text(`${running.issuer}/approvals/${id}`, 'user:eve')).toContain('value="approve"');
    for (const [method, path] of [
      ['PUT', `/approvals/${id}`],
      ['POST', '/approvals'],
      ['GET', `/approvals/${id}/more`],
    ] as const) {
      expect((await fetch(running.issuer + path, { method })).status).toBe(405);
    }
    const details = approvalDetails(requestOf());
    expect(details.binding).toMatch(/^[\w-]{43}$/);
  });

  it('know the groups and the tenant of users who sign in at their OpenID provider', async () => {
    const { browser, running, issuer } = await world({
      approvals: {},
      signIn: { groupsClaim: 'groups', tenantClaim: 'hd' },
    });
    const key = newKey();
    await running.authority.agents.add({ id: 'agent-b', publicKey: key.publicKey, tags: ['tenant:acme.dev'] });
    const asked = requestOf({
      actor: { id: 'agent-b' },
      requirement: { ...requirement, quorums: [{ groups: ['staff'], count: 1 }] },
    });
    const details = { authorization_details: JSON.stringify([approvalDetails(asked)]) };
    const answer = (await (await post(running, '/approval', 'agent-b', key, details)).json()) as Record<string, string>;
    const seen = await login(browser, await browser.open(answer['approval_uri'] ?? ''));
    expect(seen.url.href).toBe(answer['approval_uri']);
    await browser.submit(seen, `/approvals/${answer['approval_id']}`, { decision: 'approve', reason: '' });
    const found = await running.authority.approvals?.find(answer['approval_id'] ?? '');
    expect(found).toMatchObject({
      status: 'approved',
      decisions: [{ approver: 'acme:alice', groups: ['staff'] }],
    });
    expect((await browser.open(`${issuer}/approvals`)).text).toContain('Sign out');
  });

  it('give no button to a person for whom an agent acts by the access token of the same provider [C11]', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const external = (issuer: string) => ({
      issuer,
      audience: 'authority',
      subjectNamespace: 'acme:',
      subjectClaim: 'uid',
      jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] },
    });
    const { browser, running, idp, issuer } = await world({
      approvals: {},
      signIn: { subjectClaim: 'oid' },
      external,
      exchange: [{ agents: ['agent-b'] }],
    });
    const key = newKey();
    await running.authority.agents.add({ id: 'agent-b', publicKey: key.publicKey, capabilities: ['pr:write'] });
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: idp.issuer, sub: 'alice@acme.dev', uid: 'oid-alice', aud: 'authority', scope: 'pr:write' };
    const token = await new SignJWT({ ...claims, iat: now, exp: now + 60 })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: 'k' })
      .sign(privateKey);
    const { sub } = claimsOf((await exchange(running, 'agent-b', key, token)).access_token);
    const asked = requestOf({
      actor: { id: 'agent-b' },
      subject: { id: String(sub), type: 'user' },
      requirement: { ...requirement, quorums: [{ groups: ['staff'], count: 1 }], excluded: ['subject'] },
    });
    const details = { authorization_details: JSON.stringify([approvalDetails(asked)]) };
    const answer = (await (await post(running, '/approval', 'agent-b', key, details)).json()) as Record<string, string>;
    const seen = await login(browser, await browser.open(answer['approval_uri'] ?? ''));
    expect(seen.text).toContain('oid-alice');
    expect(seen.text).not.toContain('value="approve"');
    expect((await browser.open(`${issuer}/delegations`)).text).toContain('agent-b');
  });
});

describe.each(engines)(
  'a person who is revoked while their decision is on its way, on $name,',
  ({ skip, open: openStore }) => {
    it.skipIf(skip).each(['begins', 'was dated before, and is done'])(
      'decides nothing if the revocation %s between the check of the session and the decision [C11]',
      async (what) => {
        const opened = await openStore();
        const events = new EventEmitter();
        const [dated, sessionSeen] = [once(events, 'dated'), once(events, 'session seen')];
        let looks = 0;
        let early: Promise<number> | undefined;
        let sessionFound: (() => Promise<void>) | undefined;
        const store: Store = {
          ...opened,
          // A second begins wherever the clock is asked.
          clock: async () => (await opened.clock()) + looks++,
          async run(statement) {
            const rows = await opened.run(statement);
            if (statement.text.includes('facts FROM countersign_sessions')) await sessionFound?.();
            return rows;
          },
          async batch(statements) {
            if (
              statements.some(({ text: each }) => each.startsWith('DELETE FROM countersign_sessions WHERE subject'))
            ) {
              events.emit('dated');
              if (early !== undefined) await sessionSeen;
            }
            return await opened.batch(statements);
          },
        };
        const { browser, running, issuer } = await world({ store, approvals: { groups: { staff: ['acme:alice'] } } });
        const { authority } = running;
        const quorums = [{ groups: ['staff'], count: 1 }];
        const key = newKey();
        await authority.agents.add({ id: 'agent-b', publicKey: key.publicKey });
        const asked = requestOf({ actor: { id: 'agent-b' }, requirement: { ...requirement, quorums } });
        const details = { authorization_details: JSON.stringify([approvalDetails(asked)]) };
        const { approval_id: id = '' } = (await (await post(running, '/approval', 'agent-b', key, details)).json()) as {
          readonly approval_id?: string;
        };
        const seen = await login(browser, await browser.open(`${issuer}/approvals/${id}`));
        const revoke = async () => await authority.delegations.revoke({ subject: 'acme:alice' });
        if (what !== 'begins') {
          early = revoke();
          await dated;
        }
        sessionFound = async () => {
          events.emit('session seen');
          await (early ?? revoke());
        };
        const answer = await browser.submit(seen, `/approvals/${id}`, { decision: 'approve', reason: '' });
        expect([answer.status, answer.text]).toEqual([403, expect.stringContaining('Your access ended meanwhile')]);
        expect(await authority.approvals?.find(id)).toMatchObject({ status: 'pending', decisions: [] });
      },
    );
  },
);
