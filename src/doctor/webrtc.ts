/** WebRTC peers of a check, which answer offers as browsers do. */
import { loadLibrary, type NativePeer } from "../transports/webrtc/library.ts";

export interface AnsweringPeers {
  answerOffer(sdp: string): Promise<string>;
  close(): void;
}

export function createAnsweringPeers(): AnsweringPeers {
  const peers: NativePeer[] = [];
  return {
    async answerOffer(sdp) {
      const library = await loadLibrary();
      const peer = library.createPeer({ iceServers: [] });
      peers.push(peer);
      return new Promise((resolve) => {
        peer.onGatheringStateChange((state) => {
          const { sdp: answer = "" } = peer.localDescription() ?? {};
          if (state === "complete") resolve(answer);
        });
        peer.setRemoteDescription(sdp, "offer");
      });
    },
    close() {
      for (const peer of peers.splice(0)) peer.close();
    },
  };
}
