import { isNode, keyOf, type SyntaxNode } from './syntax.js';
import { wrappers } from './values.js';
import { withoutPlural, wordList, wordsOf } from './words.js';

/** What a call calls. */
export interface Called {
  readonly name: string;
  /** The name of what has it, if it is a method. */
  readonly owner: string;
}

/** What lets its holder in. */
const credentials = wordList(
  'token jwt jws jwe bearer authorization authorisation credential apikey cookie otp totp passcode pincode signature',
);
/** Only as a whole name: a `contentHash` is none. */
const wholeNames = wordList('pin hash salt sid');
const pairs = wordList(
  'sessionid sessionkey userpin accesspin loginpin accesscode authcode logincode otpcode pincode resetcode invitecode',
  'verificationcode confirmationcode backupcode recoverycode magiclink loginlink resetlink invitelink invitationlink',
  'verificationlink confirmationlink signedurl presignedurl uploadurl loginurl reseturl inviteurl magicurl sasurl',
);
/** `tokenValue` is a token; a `tokenType` is none. */
const endings = wordList('value string str header pair response result raw hash');
/** Pages of a list (`nextPageToken`), and the words of a language model (`maxTokens`). */
const otherTokens = wordList(
  'page next previous prev continuation cursor max min total prompt completion input output used cached num count',
);
const issuing = wordList(
  'issue create make mint generate gen new build encode encrypt grant produce derive provision refresh renew exchange',
  'serialize set add sign',
);
const getting = wordList('get fetch load obtain acquire request retrieve');
const issuedToo = wordList('session pin ticket sas');
/** `passport.authenticate` and `requireLogin` stand in front of handlers, and sign nobody in. */
const logins = /^(?:log|sign)in(?:as|user)?$/;

/** Whether a variable, member, parameter or header is named like a credential. */
export function isCredentialName(name: string): boolean {
  const words = partsOf(name);
  while (words.length > 1 && endings.has(words.at(-1) ?? '')) words.pop();
  const [before = '', last = ''] = words.length > 1 ? words.slice(-2) : ['', words[0]];
  if (words.length === 1 && wholeNames.has(last)) return true;
  return (credentials.has(last) && !otherTokens.has(before)) || pairs.has(`${before}${last}`);
}

/**
 * Whether a call makes a credential, or begins a session: `sign(…)`, `jwtFor(id)`, `tokens.issue(id)`. `getToken(req)`
 * reads one that the caller has.
 */
export function isIssuing({ name, owner }: Called, isOfRequest: boolean): boolean {
  const words = partsOf(name);
  const [first = ''] = words;
  const isPair = words.some((word, place) => pairs.has(`${word}${words[place + 1] ?? ''}`));
  if (words.includes('sign') || first === 'mint' || logins.test(words.join(''))) return true;
  if (words.some((word) => /^presign(?:ed)?$/.test(word)) || (isPair && !isRead(words))) return true;
  const place = words.findIndex(isIssued);
  if (place !== -1 && (words.some((word) => issuing.has(word)) || /^(?:for|of)$/.test(words[place + 1] ?? '')))
    return true;
  if (issuing.has(first) && partsOf(owner).some(isIssued)) return true;
  return getting.has(first) && isCredentialName(name) && !words.includes('by') && !isOfRequest;
}

/** Whether an argument may hold the headers of the request: `req`, `ctx.headers`, but not `req.params.id`. */
export function readsHeaders(given: SyntaxNode): boolean {
  const { object, properties, value } = given;
  if (Array.isArray(properties)) return (properties as readonly SyntaxNode[]).some(readsHeaders);
  if (isNode(value)) return readsHeaders(value);
  if (isNode(object)) return !/^(?:params|query|body)$/.test(keyOf(given) ?? '') && readsHeaders(object);
  return /^(?:req|request|ctx|context|headers|authorization)$/.test(String(given['name']));
}

export function calledOf({ callee }: SyntaxNode): Called {
  let called = callee;
  while (isNode(called) && wrappers.test(called.type)) called = called['expression'] ?? called['argument'];
  return isNode(called) ? { name: nameIn(called), owner: nameIn(called['object']) } : { name: '', owner: '' };
}

function nameIn(node: unknown): string {
  if (!isNode(node)) return '';
  const { name, object, callee } = node;
  // `createSigner().encode(…)`
  if (isNode(callee)) return nameIn(callee);
  return isNode(object) ? (keyOf(node) ?? '').replace(/^#/, '') : typeof name === 'string' ? name : '';
}

function isIssued(word: string): boolean {
  return credentials.has(word) || issuedToo.has(word);
}

function isRead(words: readonly string[]): boolean {
  return /^(?:is|has|verify|validate|check|parse|find)$/.test(words[0] ?? '') || words.includes('by');
}

/** The words of a name, without plurals and numbers: `signJWTs2` has `sign` and `jwt`, and `JWTSigner` has `jwt`. */
function partsOf(name: string): string[] {
  const apart = name.replaceAll(/[A-Z](?=[A-Z][a-z]{2})/g, '$&_');
  return wordsOf(apart).map((word) => withoutPlural(word.replace(/\d{1,9}$/, '')));
}
