import { createHash } from 'node:crypto';

export interface Script {
  readonly text: string;
  readonly digest: string;
  /** Whether its last value is a deadline. */
  readonly isChange: boolean;
}

export function scriptOf(text: string): Script {
  return { text, digest: createHash('sha1').update(text).digest('hex'), isChange: false };
}

const clock = `
local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
`;

/** The clock of the server that has the keys, in milliseconds. */
export const clockScript: Script = scriptOf(`${clock}
return clock()
`);

/** A script whose change a later one may undo. Its last value is the time by `clock` at which it no longer makes it. */
export function changeScriptOf(text: string): Script {
  const inTime = `${clock}
if not (clock() < tonumber(table.remove(ARGV))) then return { 'late' } end
`;
  return { ...scriptOf(`${inTime}${text}`), isChange: true };
}

export function isLate(reply: unknown): boolean {
  return Array.isArray(reply) && reply[0] === 'late';
}
