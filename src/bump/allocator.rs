//! Implements `Allocator` for `&AtomicBump`, for each version of the trait.

/// Implements the `Allocator` trait of one crate. The arguments are the paths of the trait and of
/// its error.
macro_rules! allocator {
    ($($trait:ident)::+, $($error:ident)::+) => {
        const _: () = {
            use core::alloc::Layout;
            use core::ptr::{self, NonNull};

            use $($error)::+ as Refused;

            use super::AtomicBump;
            use super::grid::Source;
            use super::storage::BumpStorage;

            #[inline]
            fn block(bytes: Option<NonNull<u8>>, layout: Layout) -> Result<NonNull<[u8]>, Refused> {
                bytes.map(|bytes| NonNull::slice_from_raw_parts(bytes, layout.size())).ok_or(Refused)
            }

            /// Allocates the memory of collections, such as a `Vec<T, &AtomicBump>` or a map.
            ///
            /// Any thread may grow, shrink and free a block. The last block that the calling
            /// thread's shard has handed out grows in place while the shard has room. If it is
            /// shrunk or freed, the next requests use the bytes that it gives up. Most other blocks
            /// move when they grow. When such a block moves, shrinks or is freed, the bump may keep
            /// the freed bytes and reuse them. But it keeps only a few runs of freed bytes per
            /// shard. All others are lost until the next reset.
            ///
            /// If the bump is full, `push` calls `handle_alloc_error`, which by default aborts the
            /// process or, without std, panics. To get an error instead, call `try_reserve` first.
            /// A collection borrows the bump, so the bump cannot be reset while the collection
            /// exists.
            // SAFETY: a block is valid, and no other block overlaps with it, until it is freed or
            // the bump is reset, moved or dropped. Each of the last three requires that no
            // reference to the bump is left, and each allocator is such a reference. A copy of the
            // reference refers to the same bump, so it accepts the same blocks.
            unsafe impl<S: BumpStorage> $($trait)::+ for &AtomicBump<S> {
                #[inline]
                fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, Refused> {
                    let mut bump = *self;
                    block(bump.take(layout), layout)
                }

                #[inline]
                unsafe fn deallocate(&self, bytes: NonNull<u8>, layout: Layout) {
                    // SAFETY: the caller guarantees that this is a block of this bump with this
                    // layout, and gives it up.
                    unsafe { self.view().free(bytes, layout) };
                }

                #[inline]
                unsafe fn grow(&self, bytes: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, Refused> {
                    // SAFETY: the caller guarantees that this is a block of this bump with the
                    // layout `old`, and that `new` is at least as large. The caller gives up the
                    // block if this succeeds.
                    block(unsafe { self.view().grow(bytes, old, new) }, new)
                }

                #[inline]
                unsafe fn grow_zeroed(
                    &self,
                    bytes: NonNull<u8>,
                    old: Layout,
                    new: Layout,
                ) -> Result<NonNull<[u8]>, Refused> {
                    // SAFETY: the caller gives the same guarantees as for `grow`.
                    let grown = unsafe { self.view().grow(bytes, old, new) };
                    if let Some(grown) = grown {
                        // SAFETY: the new block has `new.size()` bytes, which belong to this call
                        // until it returns them.
                        unsafe { ptr::write_bytes(grown.as_ptr().add(old.size()), 0, new.size() - old.size()) };
                    }
                    block(grown, new)
                }

                #[inline]
                unsafe fn shrink(&self, bytes: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, Refused> {
                    // SAFETY: the caller guarantees that this is a block of this bump with the
                    // layout `old`, and that `new` is at most as large. The caller gives up the
                    // block if this succeeds.
                    block(unsafe { self.view().shrink(bytes, old, new) }, new)
                }
            }
        };
    };
}

#[cfg(feature = "allocator-api2-02")]
allocator!(allocator_api2_02::alloc::Allocator, allocator_api2_02::alloc::AllocError);
#[cfg(feature = "allocator-api2-04")]
allocator!(allocator_api2_04::alloc::Allocator, allocator_api2_04::alloc::AllocError);
#[cfg(feature = "nightly")]
allocator!(core::alloc::Allocator, core::alloc::AllocError);
