/** A record of a file in one of the layouts that a task reads, and the example it stands for (Tables 13 and 14): prompt, then options. */
export interface Layout {
  readonly task: string;
  readonly layout: string;
  readonly record: Readonly<Record<string, unknown>>;
  readonly autoregressive?: readonly string[];
  readonly masked?: readonly string[];
  readonly gold: readonly number[];
}

const inference = { masked: ["It rained?<mask>, it was wet.", " Yes", " Maybe", " No"] };
const rte = {
  autoregressive: ['It rained.\nDoes this mean that "It was wet." is true? Yes or No?\n', "Yes", "No"],
  masked: ["It rained?<mask>, it was wet.", " Yes", " No"],
};
const wsc = {
  autoregressive: [
    'Ann saw Eve. She waved.\nIn the previous sentence, does the pronoun "she" refer to Ann? Yes or No?\n',
    "No",
    "Yes",
  ],
};
const multirc = {
  autoregressive: ['A text.\nQuestion: Who?\nI found this answer "Ann". Is that correct? Yes or No?\n', "No", "Yes"],
};
const record = { autoregressive: ["😀 Ann met Bo.\n- Bo won\n-", " Ann lost.", " Bo lost."], gold: [1] };
const squad = {
  autoregressive: ["Title: A_B\nContext: A text.\nQuestion: Who ?\nAnswer:", " Ann\n", " Ann B.\n"],
  gold: [0, 1],
};
const drop = { autoregressive: ["Passage: A text.\nQuestion: How many?\nAnswer:", " 5\n", " five\n"], gold: [0, 1] };
const trec = {
  masked: ["<mask>: Who ?", " Description", " Entity", " Expression", " Human", " Location", " Number"],
  gold: [3],
};
const boolq = { autoregressive: ["A text. Is it so?\n", "Yes", "No"] };
const sst2 = { autoregressive: ["fine film It was", " terrible", " great"] };
const copaRow = { premise: "I fell. ", choice1: "The ice broke.", choice2: "I laughed." };

/** Every task in its layouts: Hugging Face's (HF), the original files', GLUE's. */
export const layouts: readonly Layout[] = [
  {
    task: "SST-2",
    layout: "GLUE",
    record: { sentence: "fine film ", label: "1" },
    ...sst2,
    masked: ["fine film  It was<mask>.", " terrible", " great"],
    gold: [1],
  },
  {
    task: "SST-2",
    layout: "the sentiment package",
    record: { text: "fine film", class: 0 },
    ...sst2,
    masked: ["fine film It was<mask>.", " terrible", " great"],
    gold: [0],
  },
  {
    task: "SST-5",
    layout: "HF",
    record: { text: "so so", label: 2 },
    masked: ["so so It was<mask>.", " terrible", " bad", " okay", " good", " great"],
    gold: [2],
  },
  {
    task: "SNLI",
    layout: "HF",
    record: { premise: "It rained.", hypothesis: "It was wet.", label: 2 },
    ...inference,
    gold: [2],
  },
  {
    task: "SNLI",
    layout: "GLUE",
    record: { sentence1: "It rained.", sentence2: "It was wet.", label1: "neutral", gold_label: "contradiction" },
    ...inference,
    gold: [2],
  },
  {
    task: "MNLI",
    layout: "HF",
    record: { premise: "It rained.", hypothesis: "It was wet.", label: 1 },
    ...inference,
    gold: [1],
  },
  {
    task: "RTE",
    layout: "HF",
    record: { premise: "It rained.", hypothesis: "It was wet.", label: 1 },
    ...rte,
    gold: [1],
  },
  {
    task: "RTE",
    layout: "GLUE",
    record: { sentence1: "It rained.", sentence2: "It was wet.", label: "entailment" },
    ...rte,
    gold: [0],
  },
  { task: "TREC", layout: "label and text", record: { text: "Who ?", label: "3" }, ...trec },
  { task: "TREC", layout: "HF", record: { text: "Who ?", coarse_label: 3, fine_label: 28 }, ...trec },
  { task: "TREC", layout: "HF, an abbreviation", record: { text: "Who ?", coarse_label: 0 }, ...trec, gold: [2] },
  { task: "TREC", layout: "the original", record: { text: "Who ?", label: "HUM:ind" }, ...trec },
  {
    task: "CB",
    layout: "SuperGLUE",
    record: { premise: "He knew it.", hypothesis: "it", label: "contradiction" },
    autoregressive: ['Suppose He knew it. Can we infer that "it"? Yes, No, or Maybe?\n', "Yes", "No", "Maybe"],
    gold: [1],
  },
  {
    task: "CB",
    layout: "HF",
    record: { premise: "He knew it.", hypothesis: "it", label: 2 },
    autoregressive: ['Suppose He knew it. Can we infer that "it"? Yes, No, or Maybe?\n', "Yes", "No", "Maybe"],
    gold: [2],
  },
  {
    task: "BoolQ",
    layout: "SuperGLUE",
    record: { passage: "A text.", question: "is it so", label: true },
    ...boolq,
    gold: [0],
  },
  {
    task: "BoolQ",
    layout: "SuperGLUE, with the article's title",
    record: { passage: "Ethanol fuel -- A text.", question: "is it so", label: true },
    ...boolq,
    gold: [0],
  },
  {
    task: "BoolQ",
    layout: "HF, a passage with a dash of its own",
    record: { passage: "A -- text.", question: "is it so", answer: true },
    autoregressive: ["A -- text. Is it so?\n", "Yes", "No"],
    gold: [0],
  },
  {
    task: "BoolQ",
    layout: "HF",
    record: { passage: "A text.", question: "is it so?", answer: false },
    ...boolq,
    gold: [1],
  },
  {
    task: "BoolQ",
    layout: "HF's SuperGLUE",
    record: { passage: "A text.", question: "is it so", label: 1 },
    ...boolq,
    gold: [0],
  },
  {
    task: "WSC",
    layout: "SuperGLUE",
    record: { text: "Ann saw Eve. She waved.", target: { span1_text: "Ann", span2_text: "She" }, label: true },
    ...wsc,
    gold: [1],
  },
  {
    task: "WSC",
    layout: "SuperGLUE, spans that are not as the text has them",
    record: {
      text: "Then Ann saw\nEve.  she waved.",
      target: { span1_text: "ann saw\nEve.", span1_index: 1, span2_text: "She", span2_index: 4 },
      label: true,
    },
    autoregressive: [
      'Then Ann saw\nEve.  she waved.\nIn the previous sentence, does the pronoun "she" refer to ann saw\nEve.? Yes or No?\n',
      "No",
      "Yes",
    ],
    gold: [1],
  },
  {
    task: "WSC",
    layout: "SuperGLUE, a span in another case and with a full stop",
    record: {
      text: "When the table was big, it stood.",
      target: { span1_text: "The table.", span1_index: 1, span2_text: "it", span2_index: 5 },
      label: false,
    },
    autoregressive: [
      'When the table was big, it stood.\nIn the previous sentence, does the pronoun "it" refer to the table? Yes or No?\n',
      "No",
      "Yes",
    ],
    gold: [0],
  },
  {
    task: "WSC",
    layout: "HF",
    record: { text: "Ann saw Eve. She waved.", span1_text: "Ann", span2_text: "She", label: 0 },
    ...wsc,
    gold: [0],
  },
  {
    task: "WIC",
    layout: "HF",
    record: { word: "break", sentence1: "A break.", sentence2: "Break it.", label: 0 },
    autoregressive: [
      'Does the word "break" have the same meaning in these two sentences? Yes, No?\nA break.\nBreak it.\n',
      "No",
      "Yes",
    ],
    gold: [0],
  },
  {
    task: "MultiRC",
    layout: "HF",
    record: { paragraph: "A text.", question: "Who?", answer: "Ann", label: 1 },
    ...multirc,
    gold: [1],
  },
  {
    task: "MultiRC",
    layout: "SuperGLUE",
    record: { passage: { text: "A text.", questions: [{ question: "Who?", answers: [{ text: "Ann", label: 0 }] }] } },
    ...multirc,
    gold: [0],
  },
  {
    task: "COPA",
    layout: "HF, a cause",
    record: { ...copaRow, question: "cause", label: 0 },
    autoregressive: ["I fell because", " the ice broke.", " I laughed."],
    gold: [0],
  },
  {
    task: "COPA",
    layout: "SuperGLUE, an effect",
    record: { ...copaRow, question: "effect", label: 1 },
    autoregressive: ["I fell so", " the ice broke.", " I laughed."],
    gold: [1],
  },
  {
    task: "ReCoRD",
    layout: "HF",
    record: {
      passage: "😀 Ann met Bo.\n@highlight\nBo won",
      query: "@placeholder lost.",
      entities: ["Ann", "Bo"],
      answers: ["Bo"],
    },
    ...record,
  },
  {
    task: "ReCoRD",
    layout: "the original, whose places count code points",
    record: {
      passage: {
        text: "😀 Ann met Bo.\n@highlight\nBo won",
        entities: [
          { start: 10, end: 11 },
          { start: 2, end: 4 },
          { start: 25, end: 26 },
        ],
      },
      qas: [
        {
          query: "@placeholder lost.",
          answers: [
            { start: 10, end: 11, text: "Bo" },
            { start: 25, end: 26, text: "Bo" },
          ],
        },
      ],
    },
    ...record,
  },
  {
    task: "SQuAD",
    layout: "HF",
    record: {
      title: "A_B",
      context: "A text.",
      question: " Who ? ",
      answers: { text: ["Ann", "Ann B."], answer_start: [0, 0] },
    },
    ...squad,
  },
  {
    task: "SQuAD",
    layout: "the original",
    record: {
      title: "A_B",
      paragraphs: [
        { context: "A text.", qas: [{ question: "Who ?", answers: [{ text: "Ann" }, { text: "Ann B." }] }] },
      ],
    },
    ...squad,
  },
  {
    task: "DROP",
    layout: "HF",
    record: {
      passage: "A text.",
      question: "How many? ",
      answers_spans: { spans: ["5", "five"], types: ["number", "span"] },
    },
    ...drop,
  },
  {
    task: "DROP",
    layout: "the original",
    record: {
      passage: "A text.",
      qa_pairs: [
        {
          question: "How many?",
          answer: { number: "5", spans: [], date: {} },
          validated_answers: [{ number: "5" }, { number: "", spans: ["five"] }],
        },
      ],
    },
    ...drop,
  },
  {
    task: "DROP",
    layout: "the original, an answer that was not validated",
    record: {
      passage: "A text.",
      qa_pairs: [
        { question: "How many?", answer: { number: "7" }, validated_answers: [{ number: "5" }, { spans: ["five"] }] },
      ],
    },
    ...drop,
  },
  {
    task: "DROP",
    layout: "the original train file, without validated answers",
    record: {
      passage: "A text.",
      qa_pairs: [{ question: "How many?", answer: { spans: ["5", "five"] }, validated_answers: [] }],
    },
    ...drop,
  },
  {
    task: "DROP",
    layout: "one text",
    record: { context: "Passage: A text.\nQuestion: How many?\nAnswer:", completion: " 5", ref_text: "5|five" },
    ...drop,
  },
];
