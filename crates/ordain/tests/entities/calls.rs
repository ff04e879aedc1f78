//! What entities can do, through a real engine: the forms of a method, calls that nest and come back,
//! rejections caught and not, faults, and what a context gives.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::world::{World, key, request};
use ordain::prelude::*;
use ordain::{Entities, FaultKind, Outcome};
use ordain_types::MethodKind;

#[derive(Default, Clone, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[entity]
impl Account {
    fn deposit(&mut self, amount: i64) -> Result<i64> {
        self.balance += amount;
        Ok(self.balance)
    }

    fn withdraw(&mut self, amount: i64) -> Result<i64> {
        self.balance -= amount; // written before it is refused: to be undone
        ensure!(
            self.balance >= 0,
            "insufficient_funds",
            "short of {}",
            -self.balance
        );
        Ok(self.balance)
    }

    /// Holds its state while it calls.
    fn pay(&mut self, cx: &mut Context, to: Key, amount: i64) -> Result<i64> {
        ensure!(
            self.balance >= amount,
            "insufficient_funds",
            "balance is {}",
            self.balance
        );
        self.balance -= amount;
        cx.entity::<Account>(&to).deposit(amount)?;
        Ok(self.balance)
    }

    /// Reaches its state through the context.
    fn transfer(cx: &mut Context<Self>, to: Key, amount: i64) -> Result<i64> {
        cx.state_mut().balance -= amount;
        cx.entity::<Account>(&to).deposit(amount)?;
        let left = cx.state().balance;
        ensure!(left >= 0, "insufficient_funds", "short of {}", -left);
        Ok(left)
    }

    #[query]
    fn balance(&self) -> Result<i64> {
        Ok(self.balance)
    }

    #[query]
    fn compared(&self, cx: &mut QueryContext, other: Key) -> Result<i64> {
        Ok(self.balance - cx.entity::<Account>(other).balance()?)
    }

    #[query]
    fn total(cx: &mut QueryContext<Self>, others: Vec<Key>) -> Result<i64> {
        let mut total = cx.state().balance;
        for other in &others {
            total += cx.entity::<Account>(other).balance()?;
        }
        Ok(total)
    }

    fn panic(&mut self) -> Result<()> {
        self.balance = 666;
        panic!("the account is on fire")
    }

    #[query]
    fn panic_below(&self, cx: &mut QueryContext, other: Key) -> Result<()> {
        cx.entity::<Account>(other).panic_query()
    }

    #[query]
    fn panic_query(&self) -> Result<()> {
        panic!("the account is on fire")
    }
}

/// Calls others; its state is not `Clone`, so it is copied through JSON.
#[derive(Default, Serialize, Deserialize)]
struct Bank {
    transfers: u32,
    notes: Vec<String>,
}

#[entity]
impl Bank {
    fn transfer(cx: &mut Context<Self>, from: Key, to: Key, amount: i64) -> Result<()> {
        cx.state_mut().transfers += 1;
        cx.entity::<Account>(&from).withdraw(amount)?;
        cx.entity::<Account>(&to).deposit(amount)?;
        Ok(())
    }

    /// Tries both; says which went through.
    fn try_both(cx: &mut Context<Self>, a: Key, b: Key, amount: i64) -> Result<(bool, bool)> {
        let first = cx.entity::<Account>(&a).withdraw(amount);
        let me = cx.key();
        let second = cx.entity::<Bank>(&me).transfer(b.clone(), a, amount);
        if let Err(rejection) = &second {
            cx.state_mut().notes.push(rejection.to_string());
        }
        Ok((first.is_ok(), second.is_ok()))
    }

    /// Comes back to itself `depth` times, each level writing before and after.
    fn recurse(cx: &mut Context<Self>, depth: u32) -> Result<u32> {
        cx.state_mut().notes.push(format!("down {depth}"));
        if depth > 0 {
            let me = cx.key();
            cx.entity::<Bank>(&me).recurse(depth - 1)?;
        }
        cx.state_mut().notes.push(format!("up {depth}"));
        cx.state_mut().transfers += 1;
        Ok(cx.state().transfers)
    }

    /// Holds its state, and is come back to.
    fn hold(&mut self, cx: &mut Context) -> Result<()> {
        self.notes.push("held".into());
        let me = cx.key();
        cx.entity::<Bank>(&me).recurse(0)?;
        Ok(())
    }

    #[query]
    fn hold_and_ask(&self, cx: &mut QueryContext) -> Result<u32> {
        let me = cx.key();
        cx.entity::<Bank>(me).transfers()
    }

    #[query]
    fn transfers(&self) -> Result<u32> {
        Ok(self.transfers)
    }

    fn catch(cx: &mut Context<Self>, account: Key, bad: String) -> Result<String> {
        cx.state_mut().transfers += 1;
        let caught = catch_unwind(AssertUnwindSafe(|| match bad.as_str() {
            "panic" => cx.entity::<Account>(&account).panic(),
            _ => cx.entity::<Account>("").deposit(1).map(drop),
        }));
        assert!(caught.is_err(), "it unwinds");
        let _ = catch_unwind(AssertUnwindSafe(|| cx.entity::<Account>("late").deposit(1)));
        Ok("went on".into())
    }

    fn deep(cx: &mut Context, key: Key) -> Result<()> {
        cx.entity::<Bank>(&key).deep(key.clone())
    }
}

fn world() -> World {
    let mut world = World::new(Entities::new().with::<Account>().with::<Bank>());
    world.value(Account::at("al").deposit(100));
    world
}

#[test]
fn every_form_of_a_method_runs() {
    let mut world = world();
    assert_eq!(world.value(Account::at("al").withdraw(10)), 90);
    assert_eq!(world.value(Account::at("al").pay(key("bo"), 10)), 80);
    assert_eq!(world.value(Account::at("al").transfer(key("bo"), 10)), 70);
    assert_eq!(world.value(Account::at("bo").balance()), 20);
    assert_eq!(world.value(Account::at("al").compared(key("bo"))), 50);
    assert_eq!(
        world.value(Account::at("al").total(vec![key("bo"), key("cy")])),
        90
    );
    assert_eq!(world.state("account/al"), r#"{"balance":70}"#);
    assert_eq!(world.state("account/cy"), "", "reading writes nothing");
}

#[test]
fn a_rejection_undoes_all_that_was_done_in_every_form() {
    let mut world = world();
    for request in [
        Account::at("al").withdraw(101),
        Account::at("al").pay(key("bo"), 101),
        Account::at("al").transfer(key("bo"), 101),
    ] {
        assert_eq!(world.rejection(request).code, "insufficient_funds");
    }
    let rejection = world.rejection(Bank::at("main").transfer(key("al"), key("bo"), 101));
    assert_eq!(rejection.to_string(), "insufficient_funds: short of 1");
    assert_eq!(world.state("account/al"), r#"{"balance":100}"#);
    assert_eq!(world.state("account/bo"), "");
    assert_eq!(world.state("bank/main"), "");
}

#[test]
fn a_caught_rejection_undoes_exactly_its_sub_call() {
    let mut world = world();
    let both = world.value(Bank::at("main").try_both(key("al"), key("bo"), 60));
    assert_eq!(both, (true, false));
    assert_eq!(world.state("account/al"), r#"{"balance":40}"#);
    assert_eq!(world.state("account/bo"), "");
    let bank = r#"{"transfers":0,"notes":["insufficient_funds: short of 60"]}"#;
    assert_eq!(world.state("bank/main"), bank);
}

#[test]
fn a_call_that_comes_back_sees_and_keeps_the_transactions_writes() {
    let mut world = world();
    assert_eq!(world.value(Bank::at("main").recurse(2)), 3);
    let notes = r#"["down 2","down 1","down 0","up 0","up 1","up 2"]"#;
    assert_eq!(
        world.state("bank/main"),
        format!(r#"{{"transfers":3,"notes":{notes}}}"#)
    );
    // To oneself: the outer call goes on from what the inner one wrote.
    assert_eq!(world.value(Account::at("al").transfer(key("al"), 30)), 100);
}

#[test]
fn a_call_that_comes_back_to_a_held_state_is_refused() {
    let mut world = world();
    let fault = world.fault(
        Bank::at("main").hold(),
        FaultKind::EntityHeld,
        "Context<Self>",
    );
    assert_eq!(fault.at, "bank/main.recurse");
    world.fault(
        Account::at("al").pay(key("al"), 1),
        FaultKind::EntityHeld,
        "account/al",
    );
    world.fault(
        Bank::at("main").hold_and_ask(),
        FaultKind::EntityHeld,
        "bank/main",
    );
    assert_eq!(world.state("bank/main"), "");
    assert_eq!(
        world.value(Account::at("al").pay(key("bo"), 1)),
        99,
        "given back"
    );
    assert_eq!(world.value(Bank::at("main").transfers()), 0, "given back");
}

#[test]
fn a_panic_is_a_fault_and_leaves_no_trace() {
    let mut world = world();
    let fault = world.fault(
        Account::at("al").panic(),
        FaultKind::Panic,
        "the account is on fire",
    );
    assert_eq!(fault.at, "account/al.panic");
    assert_eq!(world.value(Account::at("al").balance()), 100);
    // Below a query that holds its state, which no undo would give back.
    let fault = world.fault(
        Account::at("al").panic_below(key("bo")),
        FaultKind::Panic,
        "on fire",
    );
    assert_eq!(fault.at, "account/bo.panic_query");
    assert_eq!(world.value(Account::at("al").balance()), 100);
}

/// Where overflow is checked, as here and in a release that is built as `docs/entities.md` says.
#[test]
fn an_integer_that_overflows_is_a_fault() {
    let mut world = world();
    let deposit = Account::at("al").deposit(i64::MAX);
    world.fault(deposit, FaultKind::Panic, "attempt to add with overflow");
    assert_eq!(world.value(Account::at("al").balance()), 100);
}

#[test]
fn a_fault_that_is_caught_ends_the_transaction_all_the_same() {
    let mut world = world();
    let panicking = Bank::at("main").catch(key("al"), "panic".into());
    let fault = world.fault(panicking, FaultKind::Panic, "the account is on fire");
    assert_eq!(fault.at, "account/al.panic");
    let bad_key = Bank::at("main").catch(key("al"), "key".into());
    world.fault(bad_key, FaultKind::BadKey, "the key is empty");
    assert_eq!(world.state("account/al"), r#"{"balance":100}"#);
    assert_eq!(world.state("account/late"), "");
    assert_eq!(world.state("bank/main"), "");
}

#[test]
fn calls_nest_to_a_limit() {
    let mut world = world();
    world.fault(
        Bank::at("main").deep(key("main")),
        FaultKind::CallDepth,
        "64",
    );
}

#[test]
fn arguments_from_outside_are_checked_and_named() {
    let mut world = world();
    let mut check = |args: &str, says: &str| {
        let request = request("account/al", "deposit", MethodKind::Update, args);
        world.fault(request, FaultKind::Arguments, says);
    };
    check("{}", "missing field `amount`");
    check(r#"{"amount":1,"much":2}"#, "unknown field `much`");
    check(r#"{"amount":"1"}"#, "expected i64");
    check("[1]", "not a JSON object");
    let empty_key = r#"{"to":"","amount":1}"#;
    let request = request("account/al", "pay", MethodKind::Update, empty_key);
    world.fault(request, FaultKind::Arguments, "the key is empty");
}

#[test]
fn a_bad_key_waits_in_the_request() {
    assert!(Account::at("").deposit(1).parts().is_err());
    assert!(Account::at("a\nb").deposit(1).parts().is_err());
    let request = Account::at(String::from("al")).deposit(1);
    assert_eq!(request.parts().unwrap().args, r#"{"amount":1}"#);
    assert_eq!(request.parts().unwrap().entity.to_string(), "account/al");
}

#[test]
fn an_entity_type_that_the_node_does_not_have_is_a_fault_with_what_to_do() {
    let mut world = World::new(Entities::new().with::<Bank>());
    let request = Bank::at("main").transfer(key("a"), key("b"), 1);
    let fault = world.fault(request, FaultKind::UnknownEntity, "`account`");
    assert!(
        fault
            .message
            .contains(".with::<entities::calls::Account>()"),
        "{fault}"
    );
    assert_eq!(fault.at, "bank/main.transfer");
}

#[test]
fn two_entity_types_of_one_name_are_refused() {
    let twice = Entities::new()
        .with::<Bank>()
        .with::<Bank>()
        .with::<Account>();
    let error = twice.build().err().unwrap();
    assert!(
        error
            .to_string()
            .contains("two entity types are named `bank`"),
        "{error}"
    );
}

#[test]
fn outcomes_do_not_depend_on_what_ran_before_in_the_same_world() {
    let run = || {
        let mut world = world();
        let outcomes: Vec<Outcome> = (0..3)
            .map(|_| world.outcome(Bank::at("main").try_both(key("al"), key("bo"), 40)))
            .collect();
        (
            outcomes,
            world.state("bank/main"),
            world.state("account/al"),
        )
    };
    assert_eq!(run(), run());
}
