import { KitError } from "../error.ts";

/**
 * What coordinators and workers need of whatever carries their messages: it keeps what it has acknowledged, whoever dies, and
 * hands a piece of work to one worker after the other until one is done with it. Messages are texts of JSON; nothing here knows what they say. All
 * calls wait through a server that is away for a while, and throw a KitError for what waiting does not mend.
 */
export interface Port {
  /** The lines of a run in their order, as its file has them; none of a run that is not there. */
  lines(run: string): Promise<readonly StoredLine[]>;
  /** The lines behind that place, those that are there and then each as it comes; ends when `signal` aborts. */
  follow(run: string, place: number, signal: AbortSignal): AsyncIterable<StoredLine>;
  /**
   * Puts a line behind the one at `place`, 0 for the first, and returns the new one's place once it is kept. Throws a `BeingWritten` where
   * another line stands there already: of two coordinators one can go on.
   */
  append(run: string, text: string, place: number): Promise<number>;
  /** Lets workers of that base find the pieces of a run or a table; nothing where it is so already. */
  offer(offer: Omit<Offer, "waiting">): Promise<void>;
  /** What has been offered, and not withdrawn. */
  offers(): Promise<readonly Offer[]>;
  /** Ends an offer, and forgets the run's pieces and answers; its lines stay. */
  withdraw(run: string): Promise<void>;
  /** Puts a piece in the run's queue, in the place of the same piece where that is not done. */
  publish(piece: PieceKey, text: string): Promise<void>;
  /**
   * Waits for a piece of the run: one that is new, or that another worker has taken and not ended in time. Gives undefined where none
   * comes for a few seconds, and when `signal` aborts.
   */
  take(run: string, signal: AbortSignal): Promise<TakenPiece | undefined>;
  /** Answers a piece; returns once the answer is kept. Of one worker it is there once. */
  answer(piece: PieceKey, text: string, worker: string): Promise<void>;
  /**
   * The answers to a run's pieces, those since its last line at least, and then each as it comes, perhaps several to one piece; ends when
   * `signal` aborts.
   */
  answers(run: string, signal: AbortSignal): AsyncIterable<StoredAnswer>;
  /** Tells those who look on how a piece of a run comes along; who comes later does not hear of it. */
  report(run: string, text: string): Promise<void>;
  /** What is told of a run's pieces from now on; ends when `signal` aborts. */
  reports(run: string, signal: AbortSignal): AsyncIterable<string>;
  /** Keeps a file of data under its name, which its content gives; nothing where it is there. */
  keepFile(name: string, content: Uint8Array): Promise<void>;
  /** A file of data by that name; undefined where it is not there. */
  file(name: string): Promise<Uint8Array | undefined>;
  /** Waits, by the clock that the port goes by; ends early when `signal` aborts. */
  sleep(seconds: number, signal?: AbortSignal): Promise<void>;
  /** Ends the connection. */
  close(): Promise<void>;
}

/** A line of a run, without its line break, and where it stands: places grow, by any amount. */
export interface StoredLine {
  readonly text: string;
  readonly place: number;
}

/** A run that has work to do, or a table, whose pieces are whole runs; and how many of its pieces nobody has taken. */
export interface Offer {
  readonly run: string;
  readonly kind: "run" | "table";
  /** The hash of its base model's weights. */
  readonly base: string;
  readonly waiting: number;
}

/** Which piece of a run: some rows of a step's batch, at both sides of theta along one of the step's z. */
export interface PieceKey {
  readonly run: string;
  readonly step: number;
  /** Which of the step's pairs of losses, from 0. */
  readonly pair: number;
  /** Which part of the batch, from 0. */
  readonly shard: number;
}

/** A piece that this worker has, until it says so or its time is over. */
export interface TakenPiece {
  readonly text: string;
  /** It is being worked on: its time begins again. */
  keep(): void;
  /** The piece is answered, or need not be: nobody gets it again. */
  done(): Promise<void>;
}

/** An answer as it is stored: which piece it says it is of, by where it stands, and what is in it. */
export interface StoredAnswer {
  readonly piece: PieceKey;
  readonly text: string;
}

/** The most bytes of a message, in UTF-8; a longer one is refused before it is read. */
export const MOST_BYTES: number = 2 ** 20;

/** Another coordinator has written a run's next line. */
export class BeingWritten extends KitError {
  constructor(run: string) {
    super(
      `The next line of run ${run} was to be written to the cluster, but another coordinator has written it: stop one of the two.`,
    );
  }
}
