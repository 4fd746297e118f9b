import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';

/** The Chromium of this machine, if there is one. */
export const chromium: string | undefined = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
);

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: object;
  readonly result?: object;
  readonly error?: { readonly message: string };
}

/** A headless Chromium with one page, driven through a pipe (Chrome DevTools Protocol). */
export class Browser implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #events: Message[] = [];
  #onEvent: () => void = () => {};
  #session = '';
  #lastId = 0;

  private constructor(command: string) {
    this.#profile = mkdtempSync(join(tmpdir(), 'countersign-browser-'));
    // In a container Chromium runs as root, and cannot create a sandbox.
    const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
    const profile = `--user-data-dir=${this.#profile}`;
    this.#process = spawn(command, [...args, profile, '--remote-debugging-pipe', 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    this.#process.once('exit', () => {
      for (const answer of this.#waiting.values()) answer({ error: { message: 'the browser has ended' } });
    });
    let rest = '';
    (this.#process.stdio[4] as Readable).setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\0');
      rest = parts.pop() ?? '';
      for (const part of parts) this.#take(JSON.parse(part) as Message);
    });
  }

  static async open(command: string): Promise<Browser> {
    const browser = new Browser(command);
    const { targetInfos } = (await browser.send('Target.getTargets')) as {
      targetInfos: { type: string; targetId: string }[];
    };
    const page = targetInfos.find(({ type }) => type === 'page');
    const attached = await browser.send('Target.attachToTarget', { targetId: page?.targetId, flatten: true });
    browser.#session = (attached as { sessionId: string }).sessionId;
    for (const domain of ['Page', 'Runtime', 'Log', 'Network', 'Security']) await browser.send(`${domain}.enable`);
    return browser;
  }

  /** Events of the protocol with this name, since the last `goto`. */
  events(method: string): readonly object[] {
    return this.#events.filter((event) => event.method === method).map(({ params }) => params ?? {});
  }

  async goto(file: string): Promise<void> {
    this.#events.length = 0;
    await this.send('Page.navigate', { url: pathToFileURL(file).href });
    await new Promise<void>((done) => {
      this.#onEvent = () => {
        if (this.events('Page.loadEventFired').length > 0) done();
      };
      this.#onEvent();
    });
  }

  /** Evaluates an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    const { result, exceptionDetails } = answer as { result: { value?: unknown }; exceptionDetails?: object };
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  }

  async press(key: string): Promise<void> {
    const more = key === 'Enter' ? { text: '\r', windowsVirtualKeyCode: 13 } : { windowsVirtualKeyCode: 9 };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', key, code: key, ...more });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', key, code: key, ...more });
  }

  async look(width: number, scheme: 'light' | 'dark', media = ''): Promise<void> {
    const size = { width, height: 900, deviceScaleFactor: 1, mobile: width < 600 };
    await this.send('Emulation.setDeviceMetricsOverride', size);
    const features = [{ name: 'prefers-color-scheme', value: scheme }];
    await this.send('Emulation.setEmulatedMedia', { media, features });
  }

  async screenshot(file: string): Promise<void> {
    const { data } = (await this.send('Page.captureScreenshot', { captureBeyondViewport: true })) as { data: string };
    writeFileSync(file, Buffer.from(data, 'base64'));
  }

  send(method: string, params: object = {}): Promise<object> {
    this.#lastId += 1;
    const id = this.#lastId;
    const session = this.#session === '' ? {} : { sessionId: this.#session };
    (this.#process.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result ?? {});
        else reject(new Error(`${method}: ${error.message}`));
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((done) => this.#process.once('exit', done));
    // Close it instead of killing it: its child processes would continue to write to the profile.
    this.#session = '';
    await this.send('Browser.close').catch(() => {});
    await ended;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #take(message: Message): void {
    if (message.id !== undefined) {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
      return;
    }
    this.#events.push(message);
    this.#onEvent();
  }
}
