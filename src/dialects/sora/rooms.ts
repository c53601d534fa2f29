/** The channels that this node has Sora connections in, and the nodes' messages about them. */
import { Room, type Occupant, type RoomEvent, type RoomHost } from "./room.ts";
import type { Hub } from "../../core/hub.ts";
import type { Member } from "./member.ts";

const SERVICE = "sora";

type Request =
  | { readonly ask: "list"; readonly channelId?: string }
  | { readonly tell: RoomEvent; readonly channelId: string };

export interface Rooms {
  enter(occupant: Occupant): Entered;
  tell(channelId: string, event: RoomEvent): Promise<void>;
  /** Connections that were announced, over all nodes, the oldest first. Throws HubError `unavailable`. */
  list(channelId?: string): Promise<readonly Member[]>;
}

export interface Entered {
  /** Settles once the connection is announced. Rejects with HubError `unavailable`. */
  readonly announced: Promise<void>;
  leave(): Promise<void>;
}

export interface RoomsOptions extends Omit<RoomHost, "channelId" | "tellAll"> {
  readonly hub: Hub;
}

export function createRooms({ hub, ...host }: RoomsOptions): Rooms {
  const rooms = new Map<string, Room>();

  async function tell(channelId: string, event: RoomEvent): Promise<void> {
    const request: Request = { tell: event, channelId };
    await hub.ask(SERVICE, request);
  }

  function open(channelId: string): Room {
    const found = rooms.get(channelId);
    if (found !== undefined) return found;
    const room = new Room({
      ...host,
      channelId,
      tellAll: (event) => tell(channelId, event),
    });
    rooms.set(channelId, room);
    return room;
  }

  function occupantsOf(channelId: string | undefined): readonly Member[] {
    const asked = channelId === undefined ? [...rooms.values()] : [rooms.get(channelId)];
    return asked.flatMap((room) => room?.announced() ?? []);
  }

  hub.serve(SERVICE, (given) => {
    const request = given as Request;
    if ("ask" in request) return occupantsOf(request.channelId);
    rooms.get(request.channelId)?.apply(request.tell);
    return null;
  });

  return {
    enter(occupant) {
      const { channelId } = occupant.entry;
      const room = open(channelId);
      const announced = room.enter(occupant);
      return {
        announced,
        leave() {
          const left = room.leave(occupant, announced);
          if (room.occupants.size === 0) rooms.delete(channelId);
          return left;
        },
      };
    },
    tell,
    async list(channelId) {
      const request: Request = { ask: "list", ...(channelId === undefined ? {} : { channelId }) };
      const found = (await hub.ask(SERVICE, request)) as Member[][];
      return found.flat().toSorted((one, other) => one.createdMs - other.createdMs);
    },
  };
}
