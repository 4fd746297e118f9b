const VERBS: Readonly<Record<string, string>> = {
  GET: 'read',
  HEAD: 'read',
  QUERY: 'read',
  POST: 'create',
  PUT: 'update',
  PATCH: 'update',
  DELETE: 'delete',
};

/** Words at the end of a path that say what is done: `POST /items/batch/delete` deletes, whatever its method is. */
const DEEDS =
  /^(?:accept|add|apply|approve|archive|assign|cancel|clear|clone|close|complete|confirm|copy|decline|delete|disable|download|enable|export|finish|import|match|merge|move|publish|purge|reject|remove|rename|reorder|reset|restore|scan|search|send|start|stop|sync|update|upload|validate)$/;

/** Words between a noun and its deed that name neither. */
const MANY = /^(?:batch|bulk|many|all|multiple)$/;

/** The action and resource type that a route gets from its method and path. */
export function namesFor(method: string, path: string): { readonly action: string; readonly resource: string } {
  const parts = path.split('/').filter((part) => part !== '');
  const deed = parts.length > 1 && method !== 'GET' ? parts.at(-1)?.toLowerCase() : undefined;
  const isDeed = deed !== undefined && DEEDS.test(deed);
  const noun = nounOf(isDeed ? parts.slice(0, -1).filter((part) => !MANY.test(part.toLowerCase())) : parts);
  const verb = isDeed ? deed : (VERBS[method] ?? method.toLowerCase());
  return { action: `${noun}.${verb}`, resource: typeFrom(noun) };
}

/** The singular of the last word before a parameter, else of the last word. */
function nounOf(parts: readonly string[]): string {
  const followed = parts.findLast(
    (part, place) => isWord(part) && parts.length > place + 1 && !isWord(parts[place + 1]),
  );
  return singular((followed ?? parts.findLast(isWord) ?? 'root').toLowerCase());
}

function isWord(part: string | undefined): boolean {
  return part !== undefined && /^[A-Za-z][\w-]*$/.test(part);
}

/** Words that end like a plural and are none, or have no singular. */
const NOT_PLURAL = /(?:ss|us|is|exists|has|series|species|news|analytics|statistics|details|settings)$/;

/** `order` of `orders`. */
export function singular(word: string): string {
  if (NOT_PLURAL.test(word)) return word;
  if (/(?:movie|cookie|calorie|zombie|genie)s$/.test(word)) return word.slice(0, -1);
  if (/(?:status|virus|bus|alias|canvas|basis)es$/.test(word)) return word.slice(0, -2);
  if (/[^aeiou]ies$/.test(word)) return word.replace(/ies$/, 'y');
  if (/(?:ss|x|z|ch|sh)es$/.test(word)) return word.slice(0, -2);
  return word.endsWith('s') ? word.slice(0, -1) : word;
}

function typeFrom(noun: string): string {
  const type = noun
    .split(/[-_]/)
    .map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)
    .join('');
  // Action is reserved in Cedar.
  return type === 'Action' ? 'ActionResource' : type;
}
