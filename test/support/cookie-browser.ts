/** Where a browser is, and what it sees there. */
export interface Seen {
  readonly status: number;
  readonly url: URL;
  readonly text: string;
  readonly headers: Headers;
}

/** A browser without scripts: it keeps cookies by host name, as browsers do, and follows redirects. */
export class CookieBrowser {
  /** By host name, then by name: the whole `Set-Cookie`. */
  readonly cookies = new Map<string, Map<string, string>>();
  /** Addresses that lead elsewhere, as a proxy with TLS does. */
  readonly #behind: Readonly<Record<string, string>>;

  constructor(behind: Readonly<Record<string, string>> = {}) {
    this.#behind = behind;
  }

  async open(url: string | URL): Promise<Seen> {
    return await this.#send(new URL(url), 'GET');
  }

  /** Sends the form of a page whose action has this end, with its hidden fields. */
  async submit(page: Seen, actionEnd: string, fields: Readonly<Record<string, string>> = {}): Promise<Seen> {
    return await this.#send(...this.formOf(page, actionEnd, fields));
  }

  /** The request that the form makes. */
  formOf(page: Seen, actionEnd: string, fields: Readonly<Record<string, string>>): [URL, 'POST', URLSearchParams] {
    const forms = [...page.text.matchAll(/<form method="post" action="([^"]+)">(.*?)<\/form>/gs)];
    const [, action, content] = forms.find(([, target]) => target?.endsWith(actionEnd)) ?? [];
    if (action === undefined || content === undefined) throw new Error(`no form for ${actionEnd} in:\n${page.text}`);
    const hidden = [...content.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"\/?>/g)];
    const body = new URLSearchParams(hidden.map(([, name = '', value = '']): [string, string] => [name, value]));
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    return [new URL(action.replaceAll('&#38;', '&'), page.url), 'POST', body];
  }

  /** One request, without its redirects. */
  async request(url: URL, method: string, body?: URLSearchParams): Promise<Response> {
    const jar = this.cookies.get(url.hostname) ?? new Map<string, string>();
    const cookie = [...jar.values()].map((whole) => whole.split(';', 1)[0]).join('; ');
    const headers = { ...(cookie !== '' && { cookie }), ...(method === 'POST' && { origin: url.origin }) };
    const target = url.href.replace(url.origin, this.#behind[url.origin] ?? url.origin);
    const response = await fetch(target, { method, headers, redirect: 'manual', ...(body && { body }) });
    for (const whole of response.headers.getSetCookie()) {
      const name = whole.slice(0, whole.indexOf('='));
      if (/; *max-age=0\b|; *expires=Thu, 01 Jan 1970/i.test(whole)) jar.delete(name);
      else jar.set(name, whole);
    }
    this.cookies.set(url.hostname, jar);
    return response;
  }

  async #send(start: URL, firstMethod: string, firstBody?: URLSearchParams): Promise<Seen> {
    let [url, method, body] = [start, firstMethod, firstBody];
    for (let hops = 0; hops < 20; hops += 1) {
      const response = await this.request(url, method, body);
      const location = response.headers.get('location');
      if (location === null || response.status < 300 || response.status >= 400) {
        return { status: response.status, url, text: await response.text(), headers: response.headers };
      }
      await response.body?.cancel();
      [url, method, body] = [new URL(location, url), 'GET', undefined];
    }
    throw new Error(`too many redirects, last to ${url.href}`);
  }
}
