-- Rules that judge creatives and sends, switches that stop programs, and what is fixed before a launch.

-- One row per version of the rules that ever judged something.
create table ledger.rule_sets (
    version varchar not null,         -- sha256 of the canonical JSON
    rules json not null,
    recorded_at timestamp not null
);

-- One row per judgement of the rules.
create table ledger.judgements (
    stage varchar not null,           -- screening, approval, sending
    subject varchar not null,         -- a creative's id, or an experiment's and its batch
    program varchar not null,
    decision varchar not null,        -- allow, require_approval, block
    rule varchar not null,            -- the rule that decided; 'default' where none held
    reason_code varchar not null,
    reason varchar not null,
    rules_version varchar not null,
    facts json not null,              -- what the rules were told
    recorded_at timestamp not null
);

-- Why a creative was rejected, in one word that can be counted; null for decisions made before there were codes.
alter table ledger.approvals add column reason_code varchar;

-- A slot of a plan may be filled anew, or emptied, until its send is launched: the highest revision of a slot holds.
alter table ledger.plans add column revision integer default 0;

-- One row per change of a switch; the last one of a scope holds. Copied from the journal beside the warehouse, which can be written at any time.
create table ledger.switches (
    switch_id varchar not null,
    scope varchar not null,           -- a program, or '*' for all of them
    state varchar not null,           -- stopped, baseline, running
    actor varchar not null,
    reason varchar not null,
    recorded_at timestamp not null
);

-- One row per program and ramp level it entered: the share of its people whom its sends may reach.
create table ledger.ramps (
    program varchar not null,
    cycle bigint not null,
    share double not null,
    reason varchar not null,
    recorded_at timestamp not null
);

-- One row per exclusion group, week and program: the people of that week that are the program's alone.
create table ledger.layers (
    exclusion_group varchar not null,
    week bigint not null,             -- ISO week YYYYWW
    program varchar not null,
    low double not null,              -- on the unit interval of "<exclusion_group>/layer/<week>"
    high double not null,
    recorded_at timestamp not null
);

-- One row per program and cycle: how long its design needs to prove an effect, as it was known before the launch.
create table ledger.power_checks (
    program varchar not null,
    cycle bigint not null,
    effect double not null,           -- relative change to be found
    rate double,                      -- of the baseline; null where it is not known yet
    people_per_arm bigint not null,
    experiments bigint,               -- null where not even the longest plan suffices, or where the rate is not known
    weeks double,
    message varchar not null,
    recorded_at timestamp not null
);

-- One row per slot of a plan as it holds now; a share of 0 is a slot that was emptied.
create view ledger.current_plans as
select program, cycle, send_number, segment, arm_number, creative_id, role, planned_share, flipped_tag, revision
from ledger.plans
qualify row_number() over (partition by program, cycle, send_number, segment, arm_number order by revision desc) = 1;

-- One row per creative that was decided on: the decision that holds.
create view ledger.decisions as
select creative_id, decision, actor, reason, reason_code, recorded_at
from ledger.approvals
qualify row_number() over (partition by creative_id order by recorded_at desc, rowid desc) = 1;
