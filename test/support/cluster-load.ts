/**
 * Load on several servers that share one Redis while something breaks: publishers that count, and official clients that write
 * down what they saw and what they were told, so that a loss in silence cannot hide.
 */
import { Centrifuge } from "centrifuge";
import { createBalancer } from "./balancer.ts";

/** Of one server of the cluster: a process or one in this process. */
export interface LoadedServer {
  readonly websocketUrl: string;
  readonly apiUrl: string;
}

export interface ClusterLoadOptions {
  readonly servers: readonly LoadedServer[];
  readonly channels: readonly string[];
  /** Witnesses of each channel on each server; one whose server went away comes back on another. */
  readonly witnessesEach: number;
}

export interface ClusterLoad extends AsyncDisposable {
  /** Publications that a server acknowledged so far. */
  acknowledged(): number;
  /** Publishes that failed, and how: the message of each kind. */
  failures(): ReadonlyMap<string, number>;
  /** Resolves once so many more were acknowledged on every channel. */
  more(count: number): Promise<void>;
  /**
   * Ends the load with a last publication on every channel that all witnesses must see, another one if one of them was told
   * meanwhile, and checks what each wrote down. Throws with the first few
   * violations: out of order, twice, or lost without a word. The numbers are for the reader's judgement.
   */
  finish(): Promise<ClusterFindings>;
}

export interface ClusterFindings {
  readonly acknowledged: number;
  /** Seen, over all witnesses. */
  readonly seen: number;
  /** How often a witness was told that it could not recover. */
  readonly told: number;
  /** How often a witness recovered after an interruption, with all that it missed. */
  readonly recovered: number;
}

type Noted =
  | { readonly kind: "publication"; readonly n: number; readonly offset: number }
  | { readonly kind: "subscribed"; readonly recovered: boolean; readonly epoch: string };

interface Witness {
  readonly name: string;
  readonly channel: string;
  readonly client: Centrifuge;
  readonly notes: Noted[];
  readonly joined: Promise<void>;
  /** Whether it saw the publication of that number, once it has; false once it is told that it missed something: it may have been that. */
  saw(n: number): Promise<boolean>;
}

/** A server that is away fails a publish at once; this many in a row are a cluster that does not come back. */
const FAILURES_MAX = 200_000;

export async function loadCluster(options: ClusterLoadOptions): Promise<ClusterLoad> {
  const { servers, channels, witnessesEach } = options;
  const balancers = await Promise.all(
    servers.map((_, home) =>
      createBalancer(turned(servers, home).map(({ websocketUrl }) => websocketUrl)),
    ),
  );
  const witnesses = channels.flatMap((channel) =>
    balancers.flatMap(({ url }, home) =>
      Array.from({ length: witnessesEach }, (_, index) =>
        createWitness(`${channel}/${home}/${index}`, channel, url),
      ),
    ),
  );
  await Promise.all(witnesses.map(({ joined }) => joined));
  const publishers = channels.map((channel, index) =>
    startPublisher(channel, turned(servers, index)),
  );
  return {
    acknowledged: () => publishers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0),
    failures() {
      const all = new Map<string, number>();
      for (const { failures } of publishers)
        for (const [kind, count] of failures) all.set(kind, (all.get(kind) ?? 0) + count);
      return all;
    },
    async more(count) {
      await Promise.all(publishers.map((publisher) => publisher.more(count)));
    },
    async finish() {
      await Promise.all(
        publishers.map(async (publisher) => {
          const own = witnesses.filter(({ channel }) => channel === publisher.channel);
          for (let all = false; !all;) {
            const last = await publisher.stop();
            all = (await Promise.all(own.map((witness) => witness.saw(last)))).every(Boolean);
          }
        }),
      );
      const found = witnesses.flatMap((witness) => {
        const publisher = publishers.find(({ channel }) => channel === witness.channel);
        return violations(witness, publisher?.acknowledged ?? []);
      });
      if (found.length > 0) {
        throw new Error(`${found.length} violations, of which: ${found.slice(0, 5).join("; ")}`);
      }
      const notes = witnesses.flatMap((witness) => witness.notes.slice(1));
      return {
        acknowledged: publishers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0),
        seen: notes.filter(({ kind }) => kind === "publication").length,
        told: notes.filter((note) => note.kind === "subscribed" && !note.recovered).length,
        recovered: notes.filter((note) => note.kind === "subscribed" && note.recovered).length,
      };
    },
    async [Symbol.asyncDispose]() {
      for (const { client } of witnesses) client.disconnect();
      await Promise.all(publishers.map((publisher) => publisher.abandon()));
      for (const balancer of balancers) await balancer[Symbol.asyncDispose]();
    },
  };
}

/** The same ring, begun at another place. */
function turned<T>(ring: readonly T[], first: number): T[] {
  const at = first % ring.length;
  return [...ring.slice(at), ...ring.slice(0, at)];
}

function createWitness(name: string, channel: string, url: string): Witness {
  const client = new Centrifuge(url, { minReconnectDelay: 20, maxReconnectDelay: 200 });
  const subscription = client.newSubscription(channel, {
    minResubscribeDelay: 20,
    maxResubscribeDelay: 200,
  });
  const notes: Noted[] = [];
  let waiting: { readonly n: number; readonly resolve: (saw: boolean) => void } | undefined;
  const joined = Promise.withResolvers<void>();
  subscription.on("subscribed", ({ wasRecovering, recovered, streamPosition }) => {
    const epoch = streamPosition?.epoch ?? "";
    const whole = wasRecovering && recovered;
    notes.push({ kind: "subscribed", recovered: whole, epoch });
    joined.resolve();
    if (!whole) waiting?.resolve(false);
  });
  subscription.on("publication", ({ data, offset = 0 }) => {
    const { n } = data as { n: number };
    notes.push({ kind: "publication", n, offset });
    if (waiting?.n === n) waiting.resolve(true);
  });
  subscription.subscribe();
  client.connect();
  return {
    ...{ name, channel, client, notes },
    joined: joined.promise,
    saw: (n) =>
      notes.some((note) => note.kind === "publication" && note.n === n)
        ? Promise.resolve(true)
        : new Promise((resolve) => (waiting = { n, resolve })),
  };
}

function startPublisher(channel: string, servers: readonly LoadedServer[]) {
  /** Numbers, in the order of their acknowledgement, which is the order of publishing. */
  const acknowledged: number[] = [];
  const failures = new Map<string, number>();
  let n = 0;
  let stopping = false;
  let failuresInRow = 0;
  let waiting: { readonly until: number; readonly resolve: () => void }[] = [];
  let home = 0;

  async function publishOne(): Promise<boolean> {
    n += 1;
    const server = servers[home % servers.length];
    const outcome = await publish(server, channel, n);
    if (outcome === undefined) {
      failuresInRow = 0;
      acknowledged.push(n);
      for (const { until, resolve } of waiting) if (acknowledged.length >= until) resolve();
      waiting = waiting.filter(({ until }) => acknowledged.length < until);
      return true;
    }
    failures.set(outcome, (failures.get(outcome) ?? 0) + 1);
    failuresInRow += 1;
    // Another server may be better off.
    home += 1;
    if (failuresInRow > FAILURES_MAX) throw new Error(`${channel} cannot be published: ${outcome}`);
    await new Promise<void>((resolve) => setImmediate(resolve));
    return false;
  }

  const running = (async () => {
    while (!stopping) await publishOne();
  })();
  // Seen by whoever stops it.
  running.catch(() => {});

  return {
    ...{ channel, acknowledged, failures },
    async more(count: number): Promise<void> {
      const until = acknowledged.length + count;
      await Promise.race([
        new Promise<void>((resolve) => waiting.push({ until, resolve })),
        running,
      ]);
    },
    /** The number of a last publication that was acknowledged, with nothing under way behind it. */
    async stop(): Promise<number> {
      stopping = true;
      await running;
      while (!(await publishOne()));
      return n;
    },
    async abandon(): Promise<void> {
      stopping = true;
      await running.catch(() => {});
    },
  };
}

/** What was wrong, or undefined. */
async function publish(
  server: LoadedServer | undefined,
  channel: string,
  n: number,
): Promise<string | undefined> {
  try {
    const response = await fetch(`${server?.apiUrl}/api/publish`, {
      method: "POST",
      headers: { "X-API-Key": "dev-api-key" },
      body: JSON.stringify({ channel, data: { n } }),
    });
    const { error } = (await response.json()) as { error?: { code: number; message: string } };
    return error === undefined ? undefined : `${error.code} ${error.message}`;
  } catch {
    return "no answer";
  }
}

/**
 * A witness's notes against what was acknowledged; each sentence is one broken promise. A publish that failed may still have
 * happened, even late, but not twice.
 */
export function violations(
  { name, notes }: Pick<Witness, "name" | "notes">,
  acknowledged: readonly number[],
): string[] {
  const found: string[] = [];
  const owed = new Set(acknowledged);
  const seen = new Set<number>();
  /** Nothing between these is owed: it came before the witness joined, or before it was told. */
  const pardoned: { readonly above: number; below: number }[] = [];
  let last = 0;
  let lastOffset: number | undefined;
  for (const note of notes) {
    if (note.kind === "subscribed") {
      if (note.recovered) continue;
      pardoned.push({ above: last, below: Number.POSITIVE_INFINITY });
      lastOffset = undefined;
      continue;
    }
    const { n, offset } = note;
    if (seen.has(n)) found.push(`${name} saw ${n} twice`);
    seen.add(n);
    if (lastOffset !== undefined && offset !== lastOffset + 1) {
      found.push(`${name} saw offset ${offset} after ${lastOffset}`);
    }
    lastOffset = offset;
    if (!owed.has(n)) continue;
    if (n < last) found.push(`${name} saw ${n} after ${last}`);
    last = Math.max(last, n);
    const open = pardoned.at(-1);
    if (open !== undefined) open.below = Math.min(open.below, n);
  }
  for (const n of acknowledged) {
    if (seen.has(n) || pardoned.some(({ above, below }) => n > above && n < below)) continue;
    found.push(`${name} never saw ${n}, which was acknowledged, and was not told`);
  }
  return found;
}
