import type { StackTrace } from './trace';

/** Parts of the kernel that share one stack, in the order in which a deep chain goes through them. */
export const PARTS = [
  'entry and VFS',
  'writeback',
  'file system',
  'memory management',
  'block layer',
  'drivers',
  'scheduler, interrupts, debugging',
  'not listed',
] as const;
export type Part = (typeof PARTS)[number];

/**
 * Which part a function belongs to, by its name: the first pattern that fits. The assignment is this
 * project’s own; where a function serves two parts, the one that calls it on the published traces counts.
 */
const RULES: readonly (readonly [Part, RegExp])[] = [
  ['not listed', /^not_listed$/],
  [
    'scheduler, interrupts, debugging',
    /^(asm_common_interrupt|preempt_schedule_irq|__irq_svc|gic_|__handle_domain_irq)/,
  ],
  [
    'scheduler, interrupts, debugging',
    /^(handle_fasteoi_irq|handle_irq_event|__handle_irq_event|dmtimer_|hrtimer_)/,
  ],
  ['scheduler, interrupts, debugging', /^(__hrtimer|tick_|update_wall_time|timekeeping_)/],
  [
    'scheduler, interrupts, debugging',
    /^(kernel_map_pages|__change_page_attr|_?lookup_address|ftrace_|lock_)/,
  ],
  [
    'scheduler, interrupts, debugging',
    /^(rcu_read_lock|console_|v?printk|vprintk_|vsnprintf|symbol_string)/,
  ],
  ['scheduler, interrupts, debugging', /^(__sprint_symbol|kallsyms_|get_symbol_offset)/],
  ['entry and VFS', /^(ret_from_fork|kthread$|kernel_thread_helper|worker_thread|0x0$)/],
  ['entry and VFS', /^(process_one_work|system_call_fastpath|deferred_probe_work)/],
  ['writeback', /^(wb_|bdi_|__?writeback_|writeback_|do_writepages|write_cache_pages)/],
  ['writeback', /^(generic_writepages|__writepage$|balance_dirty)/],
  ['entry and VFS', /^(sys_|vfs_|do_sync_|do_sendfile|do_splice|splice_|do_select)/],
  ['entry and VFS', /^(core_sys_select|sock_poll|unix_poll|__pollwait|tty_|n_tty_|input_av)/],
  ['entry and VFS', /^(generic_file_|__generic_file_)/],
  ['file system', /^(_?xfs_|xlog_|_xfs_|kmem_zone_|ext4_|mpage_|__?bch2_|bch2_|btree_|six_lock)/],
  [
    'file system',
    /^(break_cycle|print_cycle|trace_would|(__)?open_bucket|__getblk|free_buffer_head)/,
  ],
  ['file system', /^try_to_free_buffers/],
  [
    'memory management',
    /^(shrink_|do_try_to_free|try_to_free_pages|(__)?swap_writepage|get_swap_bio)/,
  ],
  [
    'memory management',
    /^(__remove_|radix_tree_delete|call_rcu|__call_rcu|force_q|try_to_release)/,
  ],
  ['memory management', /^(__alloc_pages|alloc_pages|get_page_from_|__get_free_pages)/],
  ['memory management', /^(_raw_spin_lock_irqsave|new_slab|__slab_|kmem_|__kmalloc|cache_)/],
  ['memory management', /^(add_partial|__page_cache_|find_or_create|page_cache_|__do_page_c)/],
  ['memory management', /^(ra_submit|ondemand_)/],
  [
    'block layer',
    /^(__?blk_|blk_|generic_make_request|submit_bio|__submit_bio|__make_request|elv_)/,
  ],
  [
    'block layer',
    /^(__elv|get_request|bio_|mempool_|io_schedule_timeout|rq_qos|__rq_qos|wbt_|queue_u)/,
  ],
  ['drivers', /^(virt|__virt|vring_|alloc_indirect|scsi_|__sg_|sd_|ata_|mv_|.*i2c_|.*regmap_)/],
  ['drivers', /^(regulator_|devm_|palmas_|platform_|really_probe|driver_probe|__device_att|bus_)/],
  ['drivers', /^(device_|of_|sysc_|simple_pm|internal_create|sysfs_)/],
  [
    'scheduler, interrupts, debugging',
    /^(schedule|__schedule|io_schedule|wait_for_|try_to_wake_up|wake_)/,
  ],
  [
    'scheduler, interrupts, debugging',
    /^(default_wake|autoremove_wake|__wake_up|select_task|enqueue_|down_)/,
  ],
  [
    'scheduler, interrupts, debugging',
    /^(activate_task|ttwu_|T\.2130$|insert_work|_*queue_|flush_work)/,
  ],
  [
    'scheduler, interrupts, debugging',
    /^(idle_balance|load_balance|find_busiest|update_|sched_balance)/,
  ],
  ['scheduler, interrupts, debugging', /^(pick_next|set_next|__update_load|__msecs_to)/],
];

/** The part of the kernel that a function belongs to; undefined for a function that no rule knows. */
export function partOf(fn: string): Part | undefined {
  return RULES.find(([, pattern]) => pattern.test(fn))?.[0];
}

/** Bytes of stack that each part takes of a trace, in the order of {@link PARTS}; parts without any are left out. */
export function traceParts(trace: StackTrace): { readonly part: Part; readonly bytes: number }[] {
  const sums = new Map<Part, number>();
  const add = (part: Part, bytes: number) => sums.set(part, (sums.get(part) ?? 0) + bytes);
  let listed = 0;
  for (const { fn, size } of trace.entries) {
    add(partOf(fn) ?? 'not listed', size);
    listed += size;
  }
  if (trace.maxDepth > listed) add('not listed', trace.maxDepth - listed);
  return PARTS.filter((part) => sums.has(part)).map((part) => ({ part, bytes: sums.get(part)! }));
}
