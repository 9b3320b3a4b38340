/** What a long piece of work tells while it runs: its label, how many of its equal parts are done, and a short note (a loss, a score). */
export type Progress = (event: {
  readonly label: string;
  readonly done: number;
  readonly total: number;
  readonly note?: string;
}) => void;
