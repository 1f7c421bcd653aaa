import { expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { parseArguments } from '../../src/cli/parse-arguments.ts';
import { peerOptions } from '../../src/cli/peer-options.ts';
import { readOptions } from '../../src/runtime/read-options.ts';
import { downloadOptions } from '../../src/stages/download/options.ts';
import { optionFields } from '../../src/runtime/option-fields.ts';

/** All options of the peers' commands, by the command of ours that does the same (img2dataset 1.47, clip-retrieval 2.44, autofaiss 2.17). */
const options = {
  download:
    'url_list image_size output_folder processes_count resize_mode resize_only_if_bigger upscale_interpolation downscale_interpolation encode_quality encode_format skip_reencode output_format input_format url_col caption_col bbox_col thread_count number_sample_per_shard extract_exif save_additional_columns timeout enable_wandb wandb_project oom_shard_count compute_hash verify_hash distributor subjob_size retries disable_all_reencoding min_image_size max_image_area max_aspect_ratio incremental_mode max_shard_retry user_agent_token disallowed_header_directives ignore_ssl_certificate',
  embed:
    'input_dataset output_folder input_format cache_path batch_size num_prepro_workers enable_text enable_image enable_metadata write_batch_size wds_image_key wds_caption_key clip_model use_jit wds_number_file_per_input_file output_partition_count enable_wandb wandb_project clip_cache_path',
  index: 'embeddings_folder index_folder max_index_memory_usage current_memory_available copy_metadata nb_cores index_path index_key index_param metric_type',
  serve: 'indices_paths port enable_hdf5 enable_faiss_memory_mapping columns_to_return reorder_metadata_by_ivf_index use_jit use_arrow',
};

test.each(Object.entries(options).flatMap(([command, names]) => names.split(' ').map((name) => [command, name] as const)))(
  'pairmill %s --%s',
  (name, option) => {
    const command = commands.find((each) => each.name === name)!;
    const flag = option.replaceAll('_', '-');
    const known = optionFields(command.options).some((field) => field.flag === flag || field.aliases?.includes(flag));
    if (known) return;
    expect(() => parseArguments(command, [`--${option}=x`])).toThrow(
      `pairmill ${name}: ${peerOptions[flag]?.peer}'s --${option}: ${peerOptions[flag]?.answer}`,
    );
  },
);

test('values of a peer that are not taken are answered too', () => {
  expect(() => readOptions(downloadOptions, { flags: { 'output-format': 'tfrecord' } })).toThrow(
    /^--output-format tfrecord: TFRecord files are not written\. Give webdataset or parquet/,
  );
  expect(() => readOptions(downloadOptions, { flags: { 'compute-hash': 'None' } })).toThrow('--compute-hash None: give none.');
});

test('each answer names an option that there is', () => {
  const flags = new Set(commands.flatMap((command) => optionFields(command.options).flatMap(({ flag, aliases = [] }) => [flag, ...aliases])));
  for (const { answer } of Object.values(peerOptions)) for (const [, flag] of answer.matchAll(/--([a-z-]+)/g)) expect(flags, answer).toContain(flag);
});
