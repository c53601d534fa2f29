/** This node's connections of one app, and the ways to find them: by id, user and label. */
import { MultiMap } from "./multi-map.ts";
import type { Channel, Target } from "./types.ts";

interface Indexed {
  readonly subscriber: {
    readonly connectionId: string;
    readonly userId: string;
    readonly dialect: string;
  };
  readonly labels: Iterable<string>;
  subscription(channel: Channel): unknown;
}

export class ConnectionIndex<Connection extends Indexed> {
  readonly #byId = new Map<string, Connection>();
  readonly #byUser = new MultiMap<Connection>();
  readonly #byLabel = new MultiMap<Connection>();
  readonly #subscribedTo: (channel: Channel) => readonly string[];

  /** `subscribedTo` gives the ids of the connections in a channel. */
  constructor(subscribedTo: (channel: Channel) => readonly string[]) {
    this.#subscribedTo = subscribedTo;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Users with a connection; anonymous ones are none. */
  get users(): number {
    return this.#byUser.size;
  }

  /** Each once, as they are while it is walked. */
  userIds(): Iterable<string> {
    return this.#byUser.keys();
  }

  /** Not a copy: for walks in slices. */
  each(): Iterable<Connection> {
    return this.#byId.values();
  }

  add(connection: Connection): void {
    const { connectionId, userId } = connection.subscriber;
    this.#byId.set(connectionId, connection);
    if (userId !== "") this.#byUser.add(userId, connection);
  }

  delete(connection: Connection): void {
    const { connectionId, userId } = connection.subscriber;
    this.#byId.delete(connectionId);
    if (userId !== "") this.#byUser.delete(userId, connection);
    for (const label of connection.labels) this.#byLabel.delete(label, connection);
  }

  label(connection: Connection, label: string): void {
    this.#byLabel.add(label, connection);
  }

  unlabel(connection: Connection, label: string): void {
    this.#byLabel.delete(label, connection);
  }

  get(connectionId: string): Connection | undefined {
    return this.#byId.get(connectionId);
  }

  countOfUser(userId: string): number {
    return this.#byUser.count(userId);
  }

  /** A copy. */
  all(): Connection[] {
    return [...this.#byId.values()];
  }

  /** A copy. The user `""` stands for the anonymous connections, which are looked for one by one. */
  matching(target: Target): readonly Connection[] {
    const { reach = "all" } = target;
    const found = this.#selected(target);
    if (reach === "all") return found;
    return found.filter(({ subscriber }) => reach.includes(subscriber.dialect));
  }

  #selected(target: Target): readonly Connection[] {
    if ("connection" in target) {
      const connection = this.#byId.get(target.connection);
      if (connection === undefined) return [];
      const { user, channel } = target;
      const isMeant =
        (user === undefined || user === connection.subscriber.userId) &&
        (channel === undefined || connection.subscription(channel) !== undefined);
      return isMeant ? [connection] : [];
    }
    if ("user" in target) {
      if (target.user !== "") return this.#byUser.get(target.user);
      return this.all().filter(({ subscriber }) => subscriber.userId === "");
    }
    if ("label" in target) return this.#byLabel.get(target.label);
    return this.#subscribedTo(target.channel).flatMap((id) => this.#byId.get(id) ?? []);
  }
}
