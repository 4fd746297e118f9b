import type { IncomingMessage } from 'node:http';

/** Where below the issuer a request is. */
export interface Place {
  /** Begins with a slash. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The same request for `oidc-provider`, which has its own idea of where it is mounted. */
  rewritten(request: IncomingMessage): IncomingMessage;
}

const metadata = '/.well-known/oauth-authorization-server';

/**
 * The place of a request, however the authority is mounted. RFC 8414 §3.1 puts the path of an issuer after the well-known
 * name: an application that has the root passes those requests on, too. Undefined: the request is not for the authority.
 */
export function placeOf(request: IncomingMessage & { readonly originalUrl?: string }, issuer: URL): Place | undefined {
  const target = request.originalUrl ?? request.url ?? '';
  // A query may have question marks of its own (RFC 3986 §3.4).
  const mark = target.indexOf('?');
  const [whole, search] = mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)];
  const mount = issuer.pathname.replace(/\/$/, '');
  const isMetadata = mount !== '' && whole === metadata + mount;
  if (!isMetadata && whole !== mount && !whole.startsWith(`${mount}/`)) return undefined;
  const path = isMetadata ? metadata : whole.slice(mount.length) || '/';
  return {
    path,
    query: new URLSearchParams(search),
    rewritten(original) {
      const rest = search === '' ? path : `${path}?${search}`;
      const { headers, httpVersionMajor } = original;
      // Its addresses are made of these: those of the issuer, never those that a client sends.
      headers['x-forwarded-host'] = issuer.host;
      headers['x-forwarded-proto'] = issuer.protocol.slice(0, -1);
      // A body in HTTP/2 needs neither field; the library looks for one of them.
      if (httpVersionMajor >= 2 && headers['content-length'] === undefined) headers['transfer-encoding'] = 'chunked';
      return Object.assign(original, { url: rest, originalUrl: mount + rest });
    },
  };
}
