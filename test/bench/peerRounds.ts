import type { Progress } from "../../src/tensor/progress.ts";
import type { CaseResult } from "./measure.ts";
import { median } from "./median.ts";
import { caseResult } from "./ownProcess.ts";
import { ourRequest, type PeerCase, type PeerKind, type Target } from "./peerCases.ts";
import { PEER_KINDS, type Peer, peerCommand } from "./peerFind.ts";
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
  readonly target?: Target;
}

/** Our steps of one case, a result a round. */
export interface OurSteps {
  readonly one: PeerCase;
  readonly results: readonly CaseResult[];
}

/** What is compared, how often, and on how many threads. */
export interface PeerPlan {
  readonly cases: readonly PeerCase[];
  readonly peers: readonly Peer[];
  readonly rounds: number;
  readonly size: Pick<BenchRequest, "steps" | "threads" | "products">;
}

/** What was measured. */
export interface Compared {
  readonly comparisons: readonly Comparison[];
  readonly ours: readonly OurSteps[];
}

const KINDS = Object.keys(PEER_KINDS) as PeerKind[];

/** Runs ours and the peers' steps in turn, each in a process of its own, round by round. */
export async function compareAll(plan: PeerPlan, onProgress: Progress): Promise<Compared> {
  const ours = plan.cases.map((one) => ({ one, results: [] as CaseResult[] }));
  const theirs = new Map<string, PeerResult[]>();
  for (let round = 0; round < plan.rounds; round++)
    for (const { one, results } of ours) {
      results.push(await caseResult(ourRequest(one, plan.size), `mezo-kit: ${one.title}`, onProgress));
      for (const { peer, kind } of kindsOf(plan)) {
        const key = peerKey(peer, kind, one);
        const before = theirs.get(key) ?? [];
        if (before.length <= round)
          theirs.set(key, [...before, await measureTheirs({ one, peer, kind }, plan, onProgress)]);
      }
    }
  const comparisons = ours.flatMap((steps) =>
    kindsOf(plan).map(({ peer, kind }) => compare(steps, peer, kind, theirs.get(peerKey(peer, kind, steps.one))!)),
  );
  return { comparisons, ours };
}

const kindsOf = ({ peers }: PeerPlan): { readonly peer: Peer; readonly kind: PeerKind }[] =>
  peers.flatMap((peer) => KINDS.map((kind) => ({ peer, kind })));

/** Cases with equal arguments share a peer's runs. */
const peerKey = ({ python }: Peer, kind: PeerKind, { args }: PeerCase): string => [python, kind, ...args].join(" ");

async function measureTheirs(
  { one, peer, kind }: { readonly one: PeerCase; readonly peer: Peer; readonly kind: PeerKind },
  { size }: PeerPlan,
  onProgress: Progress,
): Promise<PeerResult> {
  const label = `PyTorch ${peer.version}, ${PEER_KINDS[kind].title}: ${one.title}`;
  onProgress({ label, done: 0, total: 1 });
  const theirs = await measurePeer(peerCommand(peer, kind, one, size));
  onProgress({ label, done: 1, total: 1 });
  return theirs;
}

/** Our steps and a peer's, round by round. */
export function compare(
  { one, results }: OurSteps,
  { version }: Pick<Peer, "version">,
  kind: PeerKind,
  theirs: readonly PeerResult[],
): Comparison {
  const ours = results.map(({ stepSeconds, peakBytes }) => ({ stepSeconds, peakMib: peakBytes / MIB }));
  const target = one.targets[kind];
  return {
    ...{ title: one.title, kind, pytorch: version, ...(target && { target }) },
    ...{ ours, theirs },
    time: median(ours.map(({ stepSeconds }, round) => stepSeconds / theirs[round]!.step_s)),
    memory: median(ours.map(({ peakMib }, round) => peakMib / theirs[round]!.peak_rss_mb)),
  };
}
