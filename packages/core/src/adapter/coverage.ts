import type { IncomingMessage } from 'node:http';
import { progressOf } from './admission.js';
import { onAssigned } from './on-assigned.js';

/** Makes the decision just taken apply to every route below a path, by default to every route. */
export function coverBelow(request: IncomingMessage, path = ''): void {
  const progress = progressOf(request);
  if (progress !== undefined) progress.covered = [...progress.covered, path];
}

/** The routers that a request is in. */
interface RouterWatch {
  /** Identify their runs, the innermost first. The last is the one in which the watch began. */
  ids: readonly unknown[];
  /** Whether the last access to the two properties was to read the id. */
  hasRead: boolean;
}

/**
 * Makes a function that covers routes below a path until the request leaves the router that it is in. A router that is
 * entered reads `id`, to restore it later, and then assigns its own. One that is left restores `path`, then `id`, perhaps
 * that of a router further out, where middleware took `id` for another. A request without an id is covered nowhere: nobody
 * could see it leave.
 */
export function routerCoverage<Holder extends IncomingMessage>(
  id: keyof Holder,
  path: keyof Holder,
): (request: Holder, below: string) => void {
  const watches = new WeakMap<Holder, RouterWatch>();

  const watchId = onAssigned<Holder, keyof Holder>(
    id,
    (request, assigned) => {
      const watch = watches.get(request) as RouterWatch;
      // A mounted app of Express 4 assigns the same again.
      if (assigned === watch.ids[0]) return;
      const inner = watch.ids.indexOf(assigned);
      if (inner < 0 && watch.hasRead) enterRouter(request);
      else leaveRouters(request, inner < 0 ? watch.ids.length : inner);
      watch.ids = inner < 0 ? [assigned, ...(watch.hasRead ? watch.ids : [])] : watch.ids.slice(inner);
      watch.hasRead = false;
    },
    (request) => noteAccess(request, true),
  );
  const watchPath = onAssigned<Holder, keyof Holder>(path, (request) => noteAccess(request, false));

  function noteAccess(request: Holder, hasRead: boolean): void {
    (watches.get(request) as RouterWatch).hasRead = hasRead;
  }

  return (request, below) => {
    if (request[id] === undefined) return;
    coverBelow(request, below);
    if (watches.has(request)) return;
    watches.set(request, { ids: [request[id]], hasRead: false });
    watchId(request);
    watchPath(request);
  };
}

function enterRouter(request: IncomingMessage): void {
  const progress = progressOf(request);
  if (progress === undefined) return;
  const { covered, exempt, outside } = progress;
  progress.outside = [{ covered, exempt }, ...outside];
}

/** Takes back what was opened within the innermost routers. Outside the one in which the watch began, nothing was open. */
function leaveRouters(request: IncomingMessage, count: number): void {
  const progress = progressOf(request);
  if (progress === undefined) return;
  const { covered, exempt } = progress.outside[count - 1] ?? { covered: [], exempt: false };
  Object.assign(progress, { covered, exempt, outside: progress.outside.slice(count) });
}
