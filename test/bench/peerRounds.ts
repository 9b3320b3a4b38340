import type { Progress } from "../../src/tensor/progress.ts";
import { median } from "./median.ts";
import { caseResult } from "./ownProcess.ts";
import { ourRequest, type PeerCase, type PeerKind, type Target } from "./peerCases.ts";
import { type Peer, peerCommand } from "./peerFind.ts";
import { measurePeer, type PeerResult } from "./peerRun.ts";
import type { BenchRequest } from "./request.ts";

const MIB = 2 ** 20;

/** Our step in one round. */
export interface OurRound {
  readonly stepSeconds: number;
  readonly peakMib: number;
}

/** One comparison over all rounds: ours, theirs, and the medians of the rounds' ratios. */
export interface Comparison {
  readonly title: string;
  readonly kind: PeerKind;
  readonly pytorch: string;
  readonly ours: readonly OurRound[];
  readonly theirs: readonly PeerResult[];
  readonly time: number;
  readonly memory: number;
  readonly target: Target;
}

/** What is compared, how often, and on how many threads. */
export interface PeerPlan {
  readonly cases: readonly PeerCase[];
  readonly peers: readonly Peer[];
  readonly rounds: number;
  readonly size: Pick<BenchRequest, "steps" | "threads">;
}

const KINDS: readonly PeerKind[] = ["authors", "tuned"];

/** Runs ours and the peers' steps in turn, each in a process of its own, round by round. */
export async function compareAll(plan: PeerPlan, onProgress: Progress): Promise<Comparison[]> {
  const pairs = plan.cases.flatMap((one) =>
    plan.peers.flatMap((peer) => KINDS.map((kind) => ({ one, peer, kind, rounds: [] as Round[] }))),
  );
  for (let round = 0; round < plan.rounds; round++) {
    const peersRun = new Map<string, PeerResult>();
    for (const one of plan.cases) {
      const ours = await measureOurs(one, plan, onProgress);
      for (const { peer, kind, rounds } of pairs.filter((pair) => pair.one === one)) {
        const key = [peer.python, kind, ...one.args].join(" ");
        const theirs = peersRun.get(key) ?? (await measureTheirs({ one, peer, kind }, plan, onProgress));
        peersRun.set(key, theirs);
        rounds.push({ ours, theirs });
      }
    }
  }
  return pairs.map(({ one, peer, kind, rounds }) => comparison(one, peer, kind, rounds));
}

interface Round {
  readonly ours: OurRound;
  readonly theirs: PeerResult;
}

async function measureOurs(one: PeerCase, { size }: PeerPlan, onProgress: Progress): Promise<OurRound> {
  const { stepSeconds, peakBytes } = await caseResult(ourRequest(one, size), `mezo-kit: ${one.title}`, onProgress);
  return { stepSeconds, peakMib: peakBytes / MIB };
}

async function measureTheirs(
  { one, peer, kind }: { readonly one: PeerCase; readonly peer: Peer; readonly kind: PeerKind },
  { size }: PeerPlan,
  onProgress: Progress,
): Promise<PeerResult> {
  const label = `PyTorch ${peer.version}, ${kind}: ${one.title}`;
  onProgress({ label, done: 0, total: 1 });
  const theirs = await measurePeer(peerCommand(peer, kind, one, size));
  onProgress({ label, done: 1, total: 1 });
  return theirs;
}

function comparison(one: PeerCase, peer: Peer, kind: PeerKind, rounds: readonly Round[]): Comparison {
  return {
    ...{ title: one.title, kind, pytorch: peer.version, target: one.targets[kind] },
    ours: rounds.map(({ ours }) => ours),
    theirs: rounds.map(({ theirs }) => theirs),
    time: median(rounds.map(({ ours, theirs }) => ours.stepSeconds / theirs.step_s)),
    memory: median(rounds.map(({ ours, theirs }) => ours.peakMib / theirs.peak_rss_mb)),
  };
}
