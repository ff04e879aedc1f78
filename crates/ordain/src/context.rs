//! What a running method reaches the world by: its state, other entities, fields, time and chance. All
//! of it follows from the log, so a replay sees the same.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use ordain_types::id::uuid_text;
use ordain_types::{
    EntityId, EntityType, FaultKind, Key, Method, Ready, Request, RequestError, RequestParts,
    SendId, Seq, Timestamp,
};
use ordain_values::{IntoKey, from_json, to_json};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Result;
use crate::fields::{Field, FieldMut, Fields};
use crate::ground::{Entity, Link, Tx, state, state_mut};

/// What an update reaches the world by. `Context<Self>` also reaches the method's own state; a method
/// that takes `self` has it already and takes a plain `Context`.
///
/// It has everything a [`QueryContext`] has, and a `&mut Context<S>` passes for a `&mut
/// QueryContext<S>`. What breaks a limit, names no entity or does not decode is a fault: it ends the
/// transaction at once and does not come back as an error.
pub struct Context<'a, S = ()> {
    read: QueryContext<'a, S>,
}

/// What a query reaches the world by: it reads. `QueryContext<Self>` also reaches the method's own
/// state.
pub struct QueryContext<'a, S = ()> {
    tx: &'a mut Tx,
    state: PhantomData<fn() -> S>,
}

impl<'a, S> Deref for Context<'a, S> {
    type Target = QueryContext<'a, S>;

    fn deref(&self) -> &Self::Target {
        &self.read
    }
}

impl<S> DerefMut for Context<'_, S> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.read
    }
}

impl<'a, S> Context<'a, S> {
    #[doc(hidden)]
    pub fn __new(tx: &'a mut Tx) -> Self {
        Self {
            read: QueryContext::__new(tx),
        }
    }

    /// The state of this entity, to be written.
    ///
    /// The reference lasts until the context is used again, so nothing held here can overwrite what a
    /// call that came back to this entity wrote: read again after the call.
    pub fn state_mut(&mut self) -> &mut S
    where
        S: Entity,
    {
        state_mut(self.tx)
    }

    /// The entity of type `E` and that key, to call its methods within this transaction.
    ///
    /// ```
    /// # use ordain::prelude::*;
    /// # #[derive(Default, Clone, Serialize, Deserialize)]
    /// # struct Account { balance: i64 }
    /// # #[entity]
    /// # impl Account {
    /// #     fn deposit(&mut self, amount: i64) -> Result<i64> { Ok(self.balance + amount) }
    /// # }
    /// # #[derive(Default, Serialize, Deserialize)]
    /// # struct Bank;
    /// # #[entity]
    /// # impl Bank {
    /// fn pay_both(cx: &mut Context, a: Key, b: Key, amount: i64) -> Result<bool> {
    ///     cx.entity::<Account>(&a).deposit(amount)?;
    ///     // A rejection that is caught undoes what that call did, and no more.
    ///     Ok(cx.entity::<Account>(&b).deposit(amount).is_ok())
    /// }
    /// # }
    /// ```
    pub fn entity<E: Entity>(&mut self, key: impl IntoKey) -> E::Handle<'_> {
        E::__handle(Link::new::<E>(self.tx, key))
    }

    /// A field of this entity.
    pub fn field(&mut self, key: &str) -> FieldMut<'_> {
        FieldMut::new(self.tx, key)
    }

    /// Asks for a call in a transaction of its own, after this one: it happens if and only if this
    /// transaction commits, exactly once. Sends from one entity to another arrive in order.
    ///
    /// ```
    /// # use ordain::prelude::*;
    /// # #[derive(Default, Clone, Serialize, Deserialize)]
    /// # struct Order { reminded: bool }
    /// #[entity]
    /// impl Order {
    ///     fn place(cx: &mut Context<Self>) -> Result<SendId> {
    ///         let later = std::time::Duration::from_secs(24 * 3600);
    ///         let me = cx.key();
    ///         Ok(cx.send_after(later, Order::at(me).remind()))
    ///     }
    ///
    ///     fn remind(&mut self) -> Result<()> {
    ///         self.reminded = true;
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn send<R>(&mut self, request: Request<R>) -> SendId {
        self.send_after(Duration::ZERO, request)
    }

    /// The same, not before `delay` has passed. Delays count in whole milliseconds, rounded up.
    pub fn send_after<R>(&mut self, delay: Duration, request: Request<R>) -> SendId {
        let RequestParts {
            entity,
            method,
            args,
            ..
        } = self.checked(request);
        let delay_ms = u64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        self.tx.send(entity, method, &args, delay_ms)
    }

    /// The same by names, for methods that this program's types do not know.
    pub fn send_json(
        &mut self,
        entity: &str,
        key: impl IntoKey,
        method: &str,
        args: impl Serialize,
        delay: Duration,
    ) -> SendId {
        let parts = self.named(entity, key, method, &args);
        self.send_after(delay, Request::<()>::from(Ok(parts)))
    }
}

impl<'a, S> QueryContext<'a, S> {
    #[doc(hidden)]
    pub fn __new(tx: &'a mut Tx) -> Self {
        Self {
            tx,
            state: PhantomData,
        }
    }

    /// The state of this entity.
    pub fn state(&mut self) -> &S
    where
        S: Entity,
    {
        state(self.tx)
    }

    /// The entity of type `E` and that key, to call its queries within this transaction.
    pub fn entity<E: Entity>(&mut self, key: impl IntoKey) -> E::QueryHandle<'_> {
        E::__query_handle(Link::new::<E>(self.tx, key))
    }

    /// Calls by request: as [`Context::entity`], where the request came from elsewhere. In a query, a
    /// request for an update is a fault.
    ///
    /// # Errors
    /// The rejection of the method called.
    pub fn call<R: DeserializeOwned>(&mut self, request: Request<R>) -> Result<R> {
        let RequestParts {
            entity,
            method,
            args,
            ..
        } = self.checked(request);
        let json = self.tx.call_dynamic(&entity, &method, &args)?;
        match from_json(&json) {
            Ok(value) => Ok(value),
            Err(error) => {
                let message =
                    format!("the value of {entity}.{method} is not what was asked: {error}");
                self.tx.fault(FaultKind::Encoding, message)
            }
        }
    }

    /// Calls by names, for methods that this program's types do not know, perhaps of a module in
    /// another language.
    ///
    /// ```
    /// # use ordain::prelude::*;
    /// # fn pay<S>(cx: &mut Context<S>) -> Result<()> {
    /// let balance = cx.call_json("account", "alice", "deposit", json!({ "amount": 5 }))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The rejection of the method called.
    pub fn call_json(
        &mut self,
        entity: &str,
        key: impl IntoKey,
        method: &str,
        args: impl Serialize,
    ) -> Result<serde_json::Value> {
        let parts = self.named(entity, key, method, &args);
        self.call(Request::from(Ok(parts)))
    }

    /// A field of this entity.
    pub fn field(&mut self, key: &str) -> Field<'_> {
        Field::new(self.tx, key)
    }

    /// The fields of this entity in the order of their keys, to be scanned.
    pub fn fields(&mut self) -> Fields<'_> {
        Fields::new(self.tx)
    }

    /// The time: that of the batch the transaction is in, never going back.
    pub fn now(&self) -> Timestamp {
        self.tx.now()
    }

    /// A random number, uniform over all of `u64`.
    pub fn random(&mut self) -> u64 {
        self.tx.random()
    }

    /// A random number, uniform over `0..end`.
    ///
    /// # Panics
    /// If `end` is 0.
    pub fn random_below(&mut self, end: u64) -> u64 {
        // Lemire, "Fast random integer generation in an interval", ACM TOMACS 29 (2019).
        assert!(end > 0, "there is no number below 0 to choose");
        let threshold = end.wrapping_neg() % end;
        loop {
            let product = u128::from(self.tx.random()) * u128::from(end);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// A new UUID (version 7, RFC 9562), as text with hyphens.
    pub fn uuid(&mut self) -> String {
        uuid_text(self.tx.uuid())
    }

    /// The transaction's seq; in a query, that of the last command it sees.
    pub fn seq(&self) -> Seq {
        self.tx.seq()
    }

    /// Who asked for the transaction: the name of a token, or the entity that sent it. Empty if unknown.
    pub fn caller(&self) -> &str {
        self.tx.caller()
    }

    /// Says something for people to read: a line of the server's log. No outcome depends on it.
    pub fn log(&mut self, message: impl AsRef<str>) {
        self.tx.log(message.as_ref());
    }

    /// This entity's key.
    pub fn key(&self) -> Key {
        self.tx.entity().key
    }

    /// This entity's type and key.
    pub fn id(&self) -> EntityId {
        self.tx.entity()
    }

    fn checked<R>(&mut self, request: Request<R>) -> RequestParts {
        match request.into_parts() {
            Ok(parts) => parts,
            Err(error @ RequestError::Name(_)) => {
                self.tx.fault(FaultKind::BadKey, error.to_string())
            }
            Err(error @ RequestError::Args { .. }) => {
                self.tx.fault(FaultKind::Encoding, error.to_string())
            }
        }
    }

    fn named(
        &mut self,
        entity: &str,
        key: impl IntoKey,
        method: &str,
        args: &impl Serialize,
    ) -> RequestParts {
        let ty = EntityType::new(entity).or_else(|e| self.no(FaultKind::UnknownEntity, e));
        let key = key.into_key().or_else(|e| self.no(FaultKind::BadKey, e));
        let method = Method::new(method).or_else(|e| self.no(FaultKind::UnknownMethod, e));
        let args = to_json(args).or_else(|e| self.no(FaultKind::Encoding, e));
        let (Ok(ty), Ok(key), Ok(method), Ok(args)) = (ty, key, method, args);
        let entity = EntityId { ty, key };
        RequestParts {
            entity,
            method,
            kind: ordain_types::MethodKind::Update,
            args,
            ready: Ready::default(),
        }
    }

    fn no<T>(
        &mut self,
        kind: FaultKind,
        error: impl std::fmt::Display,
    ) -> std::result::Result<T, std::convert::Infallible> {
        self.tx.fault(kind, format!("a call by names: {error}"))
    }
}
