import { isReading } from '../policy/routes.js';
import { givesCredential } from './credentials.js';
import { type FoundRoute, shapeOf } from './find-routes.js';
import { type HandlerCode, readHandlerCode } from './handler-code.js';
import type { Source } from './sources.js';
import { withoutPlural, wordList, wordsOf } from './words.js';

/** So many routes are suggested: a first set that a person reads whole. */
const mostSuggested = 10;

/** Why a route is not suggested. */
export const reasons = {
  more: 'these only read, too',
  unread: 'where their router is mounted could not be read: their paths may begin with more',
  writes: 'these change something, or their names or handlers say so',
  credentials: 'their paths speak of what people sign in with',
  people: 'their paths speak of people and their accounts',
  secrets: 'their handlers speak of passwords, tokens or other secrets',
  operation: 'administration and operation',
} as const;
export type Reason = keyof typeof reasons;

const credentials = wordList(
  'login logon logout signin signout signup register registration renew refresh token session password passwd passcode',
  'auth authenticate authorize authorise authorization authentication oauth oauth2 oidc openid saml sso otp totp mfa 2fa',
  'jwt csrf key apikey secret credential certificate verify verification recover forgot impersonate webauthn passkey',
);
const people = wordList(
  'me whoami self myself profile account user userinfo member invite invitation consent email card addres addresse wallet',
);
const operation = wordList(
  'admin administrator administration setting config configuration backup restore init initialize setup install debug',
  'internal env log logger audit cache purge system maintenance health healthcheck healthz ready readyz live livez ping',
  'statu metric role permission webhook cron job task queue upgrade shutdown migrate migration graphql swagger doc server',
  'filesystem path notification smtp ldap plugin script console shell exec sql test dev version monitor',
  'redirect callback proxy captcha erasure',
);
/** What a handler reads or returns. Words of a login, such as `auth` and `jwt`, stand in front of most handlers. */
const secrets = wordList(
  'password passwd passcode passphrase secret credential otp totp apikey privatekey accesskey apitoken accesstoken',
  'refreshtoken idtoken authtoken sessiontoken resettoken bearertoken createtoken generatetoken issuetoken signtoken',
);
/** What makes a token, gives one, or begins a session, also in a file that does not parse. */
const credentialGiven =
  /\.(?:sign|login|cookie)\(|cookies\.set\(|set-cookie|\bsession\.\w{1,64} ?=[^=]|\b(?:token|jwt|bearer|sessionid) ?:/i;
/** A `GET` that does something, as too many applications have. In the plural most are things: `/runs`, `/transfers`. */
const deeds = wordList(
  'accept acknowledge activate add apply approve archive assign ban block cancel capture charge checkout clear close',
  'complete confirm create deactivate decline delete deposit disable dismiss duplicate edit enable execute fire follow',
  'import insert join leave like lock mark merge move open pay process publish readd reassign redeem refund reject',
  'release remove rename reopen replay requeue resend reset resume retry revert revoke run save scan send set share ship',
  'start stop submit subscribe suspend sync toggle transfer trigger unarchive unassign unban unblock undo unfollow',
  'unlike unlock unpublish unsubscribe update upload upvote vote withdraw write',
);

/** Names of functions that change something, or run a program. A path may be named like a thing: `/updates`. */
const changes = wordList(
  'delete del destroy remove rm rmsync drop truncate purge insert upsert update save persist unlink rmdir eval spawn',
  'increment decrement enqueue cancel refund approve',
  'execsync execfile spawnsync writefile appendfile sendmail sendemail createmany',
);
const permissions = wordList('is has can may should');
const sqlChanges =
  /\b(?:insert\s{1,9}into|delete\s{1,9}from|(?:drop|truncate)\s{1,9}table|replace\s{1,9}into|update\s{1,9}[\w."`]{1,64}\s{1,9}(?:(?:as\s{1,9})?\w{1,64}\s{1,9})?set)\b/i;
/** `delete rows[id]` */
const memberDeleted = /\bdelete\s{1,9}\w[\w.]{0,64}\[/;
/** `db.query(req.query.q)`, `fetch(req.query.url)`: the caller chooses what is done. */
const chosenByCaller =
  /\b(?:fetch|got|axios|query|raw|exec|eval)\(\s{0,9}(?:req|request|ctx)\b[\w.?]{0,64}\b(?:query|body)\b/;

/** Why a route is left out of a suggestion; undefined if a first agent may have it. */
function reasonAgainst(route: FoundRoute, { text, nodes }: HandlerCode): Exclude<Reason, 'more'> | undefined {
  const words = route.listed.split('/').flatMap((part) => (/^[:*]/.test(part) ? [] : [...wordsOf(part), joined(part)]));
  const things = words.map(withoutPlural);
  if (things.some((thing) => credentials.has(thing))) return 'credentials';
  if (things.some((thing) => people.has(thing))) return 'people';
  if (speaksOfSecrets(text) || givesCredential(nodes)) return 'secrets';
  if (things.some((thing) => operation.has(thing)) || /admin/i.test(text)) return 'operation';
  // The path of a router may be unknown. Its folder often says it.
  if (/admin|(?:^|\/)(?:internal|backoffice)\//i.test(route.file)) return 'operation';
  if (!isReading(route) || words.some((word) => deeds.has(word)) || changesSomething(text)) return 'writes';
  return route.isMountRead ? undefined : 'unread';
}

/** Whether people may sign in there. */
export function looksLikeLogin({ method, listed }: FoundRoute): boolean {
  const login = /^(?:user)?(?:log|sign)(?:in|on)$|^auth$|^authenticate$|^sessions?$|^tokens?$/;
  return method === 'POST' && listed.split('/').some((part) => login.test(joined(part)));
}

/** Also of two words, like `accessToken` and `api_key`. */
function speaksOfSecrets(handler: string): boolean {
  const words = wordsOf(handler);
  if (credentialGiven.test(handler)) return true;
  return words.some((word, place) =>
    [word, `${word}${words[place + 1] ?? ''}`].some((each) => secrets.has(withoutPlural(each))),
  );
}

function changesSomething(handler: string): boolean {
  if ([sqlChanges, memberDeleted, chosenByCaller].some((each) => each.test(handler))) return true;
  return [...handler.matchAll(/\b([\w$]{1,100})\s{0,9}\(/g)].some(([, name = '']) => {
    const words = wordsOf(name);
    if (permissions.has(words[0] ?? '')) return false;
    return (
      words.at(-1) === 'create' ||
      words.some((word, place) => changes.has(word) || changes.has(`${word}${words[place + 1]}`))
    );
  });
}

/** `/api-keys`, `/apiKeys` and `/api_keys` have the words `api`, `keys` and `apikeys`. */
function joined(segment: string): string {
  return wordsOf(segment).join('');
}

export interface Suggestion {
  readonly suggested: readonly FoundRoute[];
  readonly others: Readonly<Record<Reason, readonly FoundRoute[]>>;
}

/** A first set of routes that only read and give nobody power: of a long list, the resources that it is about. */
export function suggest(found: readonly FoundRoute[], sources: readonly Source[]): Suggestion {
  const codeOf = readHandlerCode(sources);
  const against = new Map(found.map((route) => [route, reasonAgainst(route, codeOf(route))]));
  const reading = found.filter((route) => against.get(route) === undefined);
  const plain = reading.filter((route) => isPlain(route.listed) && isOnlyOne(route, found) && !isPage(route));
  const chosen = new Set(plain.length > mostSuggested ? ofResources(plain).slice(0, mostSuggested) : plain);
  const of = (reason: Reason): readonly FoundRoute[] =>
    found.filter((route) => !chosen.has(route) && (against.get(route) ?? 'more') === reason);
  return {
    suggested: found.filter((route) => chosen.has(route)),
    others: {
      more: of('more'),
      unread: of('unread'),
      writes: of('writes'),
      credentials: of('credentials'),
      people: of('people'),
      secrets: of('secrets'),
      operation: of('operation'),
    },
  };
}

/** `/orders` beside `/orders/:id`: what an API lists and shows is what it is about. Shorter paths come first. */
function ofResources(routes: readonly FoundRoute[]): readonly FoundRoute[] {
  const shapes = new Set(routes.map(({ listed }) => shapeOf(listed)));
  const own = routes.filter(({ listed }) => {
    const shape = shapeOf(listed);
    return shapes.has(`${shape}/:`) || (shape.endsWith('/:') && shapes.has(shape.slice(0, -2)));
  });
  return (own.length === 0 ? routes : own).toSorted((one, other) => depthOf(one) - depthOf(other));
}

function depthOf({ listed }: FoundRoute): number {
  return listed.split('/').length;
}

/** A page for people, and no data. */
function isPage({ declaration }: FoundRoute): boolean {
  return /\brenders?\b|sendFile|[pP]age\b/.test(declaration);
}

/** A pattern may match more than it seems to. */
function isPlain(path: string): boolean {
  return /^(?:\/(?:[\w.~-]+|:\w+))+$/.test(path);
}

function isOnlyOne({ method, listed }: FoundRoute, found: readonly FoundRoute[]): boolean {
  return found.filter((other) => other.method === method && shapeOf(other.listed) === shapeOf(listed)).length === 1;
}
